"""CEL, Google's Common Expression Language, behind a small interface: a text in, an expression or its problems out.

Only this room knows the library, so that it can be replaced. Nothing in it knows what a play or a view is.
"""

from processors.cel.closures import UNSURE, Closure, Names, closure
from processors.cel.language import BadExpression, Expression, Failure, Language
from processors.cel.words import Problem, kind_word, problem_at

__all__ = [
    "UNSURE",
    "BadExpression",
    "Closure",
    "Expression",
    "Failure",
    "Language",
    "Names",
    "Problem",
    "closure",
    "kind_word",
    "problem_at",
]
