// What OpenAI publishes: the types of its own client, which are made from its specification with each release. published.mjs makes a
// document of those named here.
import type { Batch } from 'openai/resources/batches';
import type { ChatCompletion, ChatCompletionChunk, ChatCompletionCreateParams } from 'openai/resources/chat/completions';
import type { CreateEmbeddingResponse, EmbeddingCreateParams } from 'openai/resources/embeddings';
import type { Model } from 'openai/resources/models';
import type { Response, ResponseCreateParams, ResponseStreamEvent } from 'openai/resources/responses/responses';

export type ChatRequest = ChatCompletionCreateParams;
export type ChatAnswer = ChatCompletion;
export type ChatEvent = ChatCompletionChunk;
export type ResponsesRequest = ResponseCreateParams;
export type ResponsesAnswer = Response;
export type ResponsesEvent = ResponseStreamEvent;
export type EmbeddingsRequest = EmbeddingCreateParams;
export type EmbeddingsAnswer = CreateEmbeddingResponse;
export type ModelsAnswer = { object: 'list'; data: Array<Model> };
export type BatchAnswer = Batch;
