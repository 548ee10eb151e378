"""Pipelines with every construct of KFP's control flow, compiled by KFP; see test_local."""

import json
import sys
from typing import List  # noqa: UP035 - KFP reads these

from google.protobuf import json_format
from kfp import dsl
from kfp.dsl import Dataset, Input, Output, PipelineTaskFinalStatus


@dsl.component
def num(x: int = 0) -> int:
    return x


@dsl.component
def word(s: str) -> str:
    return s


@dsl.component
def items(n: int) -> list:
    return list(range(n))


@dsl.component
def boom(x: int = 0) -> int:
    raise ValueError(x)


@dsl.component
def make(s: str, d: Output[Dataset]):
    pass


@dsl.component
def count(ds: Input[List[Dataset]]) -> int:  # noqa: UP006 - as above
    return len(ds)


@dsl.component
def total(xs: List[int]) -> int:  # noqa: UP006 - as above
    return sum(xs)


@dsl.component
def bye(status: PipelineTaskFinalStatus, m: str) -> str:
    return status.state + m


@dsl.pipeline
def inner(q: int) -> int:
    return num(x=q).output


@dsl.pipeline
def nested(n: int = 3) -> int:
    return num(x=inner(q=num(x=n).output).output).output


@dsl.pipeline
def branches(n: int = 3, who: str = "me") -> str:
    a = num(x=n)
    with dsl.If(a.output == 3):
        one = word(s="three")
    with dsl.Elif(a.output > 5):
        two = word(s=f"many-{who}")
    with dsl.Else():
        three = word(s="other")
    chosen = dsl.OneOf(one.output, two.output, three.output)
    with dsl.If(who == "me", name="mine"):
        word(s="inside")
    return word(s=chosen).output


@dsl.pipeline
def loops(n: int = 3) -> int:
    with dsl.ParallelFor(items=["a", "b"], parallelism=1) as letter:
        made = make(s=letter)
    count(ds=dsl.Collected(made.outputs["d"]))
    with dsl.ParallelFor(items(n=n).output) as item:
        each = num(x=item)
    return total(xs=dsl.Collected(each.output)).output


@dsl.pipeline
def leaking() -> int:
    return boom().output


@dsl.pipeline
def leaving():
    last = bye(m="!")
    with dsl.ExitHandler(last):
        broken = boom()
        num(x=broken.output)
        num(x=5)


@dsl.pipeline
def telling() -> int:
    made = leaking()
    bye(m="!").after(made).ignore_upstream_failure()
    return made.output


@dsl.pipeline
def ignoring():
    broken = boom()
    num(x=broken.output).ignore_upstream_failure()
    word(s="else")


def main() -> None:
    """Print all of them as JSON."""
    found = {
        one.name: json_format.MessageToDict(one.pipeline_spec)
        for one in (nested, branches, loops, leaving, telling, ignoring)
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
