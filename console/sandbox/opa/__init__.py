"""The drill's OPA: Rego and OPA's REST API in plain Python, faithful where the console looks (docs/drill-opa.md).

`parser.py` (on `terms.py` and `lexer.py`) reads Rego into the tree of `syntax.py`, `compiler.py` (with `resolver.py`, `safety.py`
and `types.py`) turns modules away as OPA does, `evaluator.py` answers with the functions of `builtins`; `documents.py` is the
data, `service.py` one OPA, `bundles.py` how it follows a bundle, and `api.py` (with `decoding.py`) serves it. Importing this
package imports none of that.
"""
