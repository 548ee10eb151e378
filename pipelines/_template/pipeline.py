"""What this pipeline does, in one line."""

from components.prepare_data.component import prepare_data
from kfp import dsl


@dsl.pipeline(description="What this pipeline does, in one line")
def template(source: str, target: str, test_share: float = 0.25) -> dsl.Dataset:
    """Split a table; more steps follow by using this one's outputs.

    Args:
        source: Address of the table: CSV, plain or gzipped.
        target: The column to learn.
        test_share: Share of the rows that is kept apart.

    Returns:
        The rows to learn from.
    """
    table = dsl.importer(artifact_uri=source, artifact_class=dsl.Dataset, reimport=False)
    prepared = prepare_data(source=table.output, target=target, test_share=test_share)
    return prepared.outputs["train_data"]
