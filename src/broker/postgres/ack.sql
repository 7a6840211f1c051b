-- Forget tokens that were given and are done with: $1 their keys, $2 when they were given. One that was given to
-- somebody else since stays.
DELETE FROM stumper_broker.tokens t
USING unnest($1::bigint[], $2::bigint[]) AS done (key, given)
WHERE t.key = done.key AND t.given = done.given
