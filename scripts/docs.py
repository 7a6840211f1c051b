#!/usr/bin/env python3
"""Make the page /docs of the description of the interface: docs.py OPENAPI.json OUT.html

One file that needs nothing from elsewhere and no script: a list at the side, an article per operation,
members of objects unfolded where they are used.
"""
import html
import json
import re
import sys

CSS = """
:root{--bg:#fbfaf8;--card:#fff;--ink:#1d1b1a;--soft:#6b6560;--line:#e7e2dc;--code:#f4f0eb;--accent:#9a3b1f;
--get:#1f6f54;--post:#8a4b0f;--delete:#a3262f;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--bg:#171513;--card:#1f1c1a;--ink:#ece7e1;--soft:#a39b93;--line:#332e2a;
--code:#29241f;--accent:#f0926f;--get:#67c7a0;--post:#e6a65c;--delete:#f0828a}}
*{box-sizing:border-box}
html{scroll-padding-top:1.5rem;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
code,pre,.path,.type,.name{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
code{font-size:.875em;background:var(--code);border-radius:4px;padding:.1em .35em}
pre{background:var(--code);border-radius:8px;padding:.9rem 1rem;overflow-x:auto;font-size:.8125rem;line-height:1.55;margin:.75rem 0}
pre code{background:none;padding:0;font-size:inherit}
.page{display:grid;grid-template-columns:17rem minmax(0,1fr);max-width:76rem;margin:0 auto}
nav{position:sticky;top:0;align-self:start;height:100vh;overflow-y:auto;padding:2rem 1.25rem 2rem 1.5rem;border-right:1px solid var(--line);font-size:.875rem}
nav h2{font-size:.6875rem;letter-spacing:.08em;text-transform:uppercase;color:var(--soft);margin:1.5rem 0 .35rem;font-weight:600}
nav .brand{font-size:1.25rem;font-weight:700;color:var(--ink);letter-spacing:-.01em}
nav .brand small{display:block;font-size:.75rem;font-weight:400;color:var(--soft);letter-spacing:0}
nav ul{list-style:none;margin:0;padding:0}
nav li a{display:flex;gap:.5rem;align-items:baseline;color:var(--ink);padding:.2rem 0;line-height:1.35}
main{padding:2.5rem 3rem 6rem;min-width:0}
h1{font-size:2.25rem;line-height:1.15;letter-spacing:-.02em;margin:0 0 .5rem}
.lead{font-size:1.125rem;color:var(--soft);margin:0 0 1.5rem;max-width:42rem}
h2.tag{font-size:1.5rem;letter-spacing:-.01em;margin:3.5rem 0 .25rem}
h2.tag+p{color:var(--soft);margin:0 0 1rem}
article{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1.5rem 1.75rem;margin:1.25rem 0}
article h3{margin:0 0 .35rem;font-size:1.1875rem;letter-spacing:-.005em}
article h4{font-size:.75rem;letter-spacing:.06em;text-transform:uppercase;color:var(--soft);margin:1.5rem 0 .25rem;font-weight:600}
p{margin:.6rem 0;max-width:46rem}
.route{display:flex;flex-wrap:wrap;gap:.6rem;align-items:center;margin:0 0 .75rem}
.path{font-size:.9375rem;overflow-wrap:anywhere}.path i{color:var(--soft);font-style:normal}
.verb{font-size:.6875rem;font-weight:700;letter-spacing:.04em;border:1px solid currentColor;border-radius:5px;padding:.05rem .4rem;line-height:1.5}
nav .verb{border:0;padding:0;min-width:2.9rem;font-size:.625rem}
#menu,label{display:none}
.GET{color:var(--get)}.POST{color:var(--post)}.DELETE{color:var(--delete)}
dl{margin:.35rem 0 0;border-top:1px solid var(--line)}
dl>div{display:grid;grid-template-columns:minmax(9rem,15rem) minmax(0,1fr);gap:.25rem 1.25rem;padding:.55rem 0;border-bottom:1px solid var(--line)}
dt{overflow-wrap:anywhere}dd{margin:0;min-width:0}dd p{margin:.15rem 0}
.name{font-size:.875rem;font-weight:600}.type{font-size:.75rem;color:var(--soft);display:block}
.must{color:var(--accent);font-size:.6875rem;font-weight:600;margin-left:.4rem;letter-spacing:.02em}
.facts{color:var(--soft);font-size:.8125rem}
.status{font-weight:600;font-variant-numeric:tabular-nums}
details{margin:.3rem 0 0}summary{cursor:pointer;color:var(--accent);font-size:.875rem}
details>dl{margin-left:.25rem;padding-left:.9rem;border-left:2px solid var(--line);border-top:0}
details>dl>div:last-child{border-bottom:0}
footer{color:var(--soft);font-size:.8125rem;margin-top:4rem}
@media(max-width:56rem){.page{display:block}nav{position:static;height:auto;border-right:0;border-bottom:1px solid var(--line);padding:1.25rem}
nav{display:flex;flex-wrap:wrap;justify-content:space-between;align-items:center}nav .menu{display:none;width:100%}
label{display:block;font-size:.875rem;color:var(--accent);cursor:pointer;border:1px solid var(--line);border-radius:8px;padding:.3rem .8rem}
#menu{display:block;position:absolute;opacity:0;pointer-events:none}#menu:focus-visible+label{outline:2px solid var(--accent)}
#menu:checked~.menu{display:block}nav li a{padding:.3rem 0}main{padding:1.5rem 1.25rem 4rem}h1{font-size:1.75rem}
article{padding:1.1rem 1.1rem;border-radius:10px}dl>div{grid-template-columns:1fr}}
@media print{nav{display:none}.page{display:block}article{break-inside:avoid}}
"""

VERBS = ("get", "post", "put", "patch", "delete")


def text(markdown: str) -> str:
    """Paragraphs and `code`; nothing else is needed."""
    paragraphs = [p for p in re.split(r"\n\s*\n", markdown.strip()) if p]
    return "".join(f"<p>{inline(p)}</p>" for p in paragraphs)


def inline(markdown: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(" ".join(markdown.split()), quote=False))


class Page:
    def __init__(self, api: dict):
        self.api = api
        self.out: list[str] = []

    def look_up(self, node: dict) -> dict:
        """Follow a $ref; what stands beside it counts more."""
        while "$ref" in node:
            target = self.api
            for key in node["$ref"].removeprefix("#/").split("/"):
                target = target[key]
            node = {**target, **{k: v for k, v in node.items() if k != "$ref"}}
        return node

    # --- schemas

    def type_of(self, schema: dict) -> str:
        schema = self.look_up(schema)
        if "const" in schema:
            return json.dumps(schema["const"])
        if "enum" in schema:
            return " | ".join(json.dumps(v) for v in schema["enum"])
        if "oneOf" in schema:
            return " | ".join(dict.fromkeys(self.type_of(s) for s in schema["oneOf"]))
        types = schema.get("type", "any")
        types = [types] if isinstance(types, str) else types
        named = [f"array of {self.type_of(schema['items'])}" if t == "array" and "items" in schema else t for t in types]
        return " | ".join(named) + (f" ({schema['format']})" if "format" in schema else "")

    @staticmethod
    def facts(schema: dict) -> str:
        words = []
        low, high = schema.get("minimum"), schema.get("maximum")
        if low is not None and high is not None:
            words.append(f"{low:,} to {high:,}")
        elif low:
            words.append(f"at least {low:,}")
        elif high is not None:
            words.append(f"at most {high:,}")
        if "exclusiveMinimum" in schema:
            words.append(f"more than {schema['exclusiveMinimum']}")
        if "maxLength" in schema:
            words.append(f"at most {schema['maxLength']:,} characters")
        if "default" in schema:
            words.append(f"default {json.dumps(schema['default'])}")
        return f'<span class="facts">{html.escape("; ".join(words))}</span>' if words else ""

    def members_of(self, schema: dict) -> dict:
        schema = self.look_up(schema)
        if "items" in schema:
            return self.members_of(schema["items"])
        return schema if schema.get("properties") else {}

    def row(self, name: str, schema: dict, must: bool, depth: int, described: str = "") -> str:
        schema = self.look_up(schema)
        about = described or schema.get("description", "")
        inner = self.members_of(schema)
        unfold = ""
        if inner and depth < 4:
            unfold = f"<details><summary>members</summary>{self.members(inner, depth + 1)}</details>"
        mark = '<span class="must">required</span>' if must else ""
        return (f'<div><dt><span class="name">{html.escape(name)}</span>{mark}'
                f'<span class="type">{html.escape(self.type_of(schema))}</span></dt>'
                f"<dd>{text(about)}{self.facts(schema)}{unfold}</dd></div>")

    def members(self, schema: dict, depth: int = 0) -> str:
        must = set(schema.get("required", [])) if depth == 0 else set()
        rows = (self.row(n, s, n in must, depth) for n, s in schema["properties"].items())
        return f"<dl>{''.join(rows)}</dl>"

    # --- operations

    def operations(self):
        for path, item in self.api["paths"].items():
            for verb in VERBS:
                if verb in item:
                    shared = item.get("parameters", [])
                    yield path, verb.upper(), {**item[verb], "parameters": shared + item[verb].get("parameters", [])}

    def example(self, path: str, verb: str, op: dict) -> str:
        content = op.get("requestBody", {}).get("content", {}).get("application/json", {})
        shown = re.sub(r"\{id\}", "$ID", path)
        line = "curl" + (f" -X {verb}" if verb != "GET" and not content else "") + f" http://127.0.0.1:8080{shown}"
        if "text/event-stream" in op["responses"].get("200", {}).get("content", {}):
            line = line.replace("curl", "curl -N")
        if "example" in content:
            body = json.dumps(content["example"], indent=2).replace("\n", "\n  ")
            line += f" \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"
        return f"<pre><code>{html.escape(line, quote=False)}</code></pre>"

    def parameters(self, op: dict) -> str:
        rows = []
        for p in map(self.look_up, op["parameters"]):
            place = {"path": "in the path", "query": "in the query", "header": "header"}[p["in"]]
            schema = {**self.look_up(p.get("schema", {}))}
            about = p.get("description") or schema.get("description", "")
            row = self.row(p["name"], schema, p.get("required", False), 4, about)
            rows.append(row.replace("</span></dt>", f" · {place}</span></dt>", 1))
        return f"<h4>Parameters</h4><dl>{''.join(rows)}</dl>" if rows else ""

    def body(self, op: dict) -> str:
        content = op.get("requestBody", {}).get("content", {}).get("application/json")
        if not content:
            return ""
        schema = self.look_up(content["schema"])
        return f"<h4>Body</h4>{text(schema.get('description', ''))}{self.members(schema)}"

    def response(self, status: str, response: dict) -> str:
        if response.get("$ref", "").endswith("/Problem"):
            codes = [e for e in self.api.get("x-errors", []) if str(e["status"]) == status]
            links = ", ".join(f'<a href="#{e["code"]}">{e["code"]}</a>' for e in codes)
            return (f'<div><dt><span class="status">{status}</span></dt><dd>{links or "an error"}</dd></div>'
                    if codes or status != "default" else
                    f'<div><dt><span class="status">else</span></dt><dd>see <a href="#errors">errors</a></dd></div>')
        response = self.look_up(response)
        types, unfold = [], ""
        for kind, content in response.get("content", {}).items():
            types.append(kind)
            schema = self.members_of(content["schema"])
            if schema:
                unfold += f"<details><summary>members</summary>{self.members(schema, 1)}</details>"
        headers = "".join(f"<p><code>{html.escape(n)}</code> {inline(self.look_up(h).get('description', ''))}</p>"
                          for n, h in response.get("headers", {}).items())
        kind = f'<span class="type">{html.escape(", ".join(types))}</span>' if types else ""
        return (f'<div><dt><span class="status">{status}</span>{kind}</dt>'
                f"<dd>{text(response.get('description', ''))}{headers}{unfold}</dd></div>")

    def operation(self, path: str, verb: str, op: dict) -> str:
        shown = re.sub(r"(\{[^}]+\})", r"<i>\1</i>", html.escape(path))
        answers = "".join(self.response(s, r) for s, r in op["responses"].items())
        return (f'<article id="{op["operationId"]}"><h3>{inline(op["summary"])}</h3>'
                f'<div class="route"><span class="verb {verb}">{verb}</span><span class="path">{shown}</span></div>'
                f"{text(op.get('description', ''))}{self.example(path, verb, op)}{self.parameters(op)}{self.body(op)}"
                f"<h4>Answers</h4><dl>{answers}</dl></article>")

    # --- the page

    def menu(self) -> str:
        info = self.api["info"]
        parts = [f'<a class="brand" href="#top">{html.escape(info["title"])}<small>HTTP interface, {info["version"]}</small></a>',
                 '<input type="checkbox" id="menu" aria-label="Contents"><label for="menu">Contents</label><div class="menu">']
        for tag in self.api["tags"]:
            parts.append(f'<section><h2>{tag["name"]}</h2><ul>')
            for path, verb, op in self.operations():
                if tag["name"] in op["tags"]:
                    parts.append(f'<li><a href="#{op["operationId"]}"><span class="verb {verb}">{verb}</span>'
                                 f'<span class="path">{html.escape(path)}</span></a></li>')
            parts.append("</ul></section>")
        parts.append('<section><h2>More</h2><ul><li><a href="#access">Access</a></li><li><a href="#errors">Errors</a></li>'
                     '<li><a href="/openapi.json">openapi.json</a></li></ul></section></div>')
        return "".join(parts)

    def errors(self) -> str:
        rows = (f'<div id="{e["code"]}"><dt><span class="name">{e["code"]}</span><span class="type">{e["status"]}</span></dt>'
                f"<dd>{text(e['means'])}</dd></div>" for e in self.api.get("x-errors", []))
        members = self.members(self.api["components"]["schemas"]["Problem"])
        return f'<h2 class="tag" id="errors">Errors</h2><article><dl>{"".join(rows)}</dl><h4>Members</h4>{members}</article>'

    def whole(self) -> str:
        info = self.api["info"]
        parts = [f'<h1 id="top">{html.escape(info["title"])}</h1><p class="lead">{inline(info["summary"])}</p>',
                 text(info["description"])]
        for tag in self.api["tags"]:
            parts.append(f'<h2 class="tag">{tag["name"]}</h2><p>{inline(tag["description"])}</p>')
            parts += [self.operation(*o) for o in self.operations() if tag["name"] in o[2]["tags"]]
        access = self.api["components"]["securitySchemes"]["bearer"]["description"]
        parts.append(f'<h2 class="tag" id="access">Access</h2><article>{text(access)}</article>')
        parts.append(self.errors())
        parts.append(f'<footer>Stumper {info["version"]}. This page is made from <a href="/openapi.json">openapi.json</a>.</footer>')
        title = f'{html.escape(info["title"])}: HTTP interface'
        return (f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
                '<meta name="viewport" content="width=device-width,initial-scale=1">'
                f"<style>{CSS}</style></head><body><div class=\"page\"><nav>{self.menu()}</nav>"
                f'<main>{"".join(parts)}</main></div></body></html>\n')


def main() -> None:
    source, out = sys.argv[1:]
    with open(source, encoding="utf-8") as f:
        api = json.load(f)
    with open(out, "w", encoding="utf-8") as f:
        f.write(Page(api).whole())


main()
