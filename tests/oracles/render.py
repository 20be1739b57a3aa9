"""What Python's Jinja makes of the templates in tests/Models/Templates/python.jsonl, under the settings of Hugging Face's apply_chat_template.

python3 render.py FILE: writes each line's `expected` anew; a template that is refused gets none. Needs jinja2 3.1.6. The tests read the file as it is.
"""
import json
import sys

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(Extension):
    """The blocks that mark an assistant's text for training: here they only print it."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_printed", []), [], [], body).set_lineno(line)

    def _printed(self, caller):
        return caller()


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def main(path):
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    with open(path, encoding="utf-8") as file:
        first, *cases = [json.loads(line) for line in file]
    with open(path, "w", encoding="utf-8") as file:
        for case in [first, *cases]:
            case.pop("expected", None)
            try:
                if "template" in case:
                    case["expected"] = environment.from_string(case["template"]).render(**first["variables"])
            except Exception as fault:  # noqa: BLE001 whatever it is, Python refuses
                print(f"refused: {case['template']}: {fault}", file=sys.stderr)
            file.write(json.dumps(case, ensure_ascii=False) + "\n")


main(sys.argv[1])
