"""BigQuery on loopback: jobs, query results, tables over REST; the Storage Read API over gRPC.

As far as the official clients ask for it. A query is known by its text and answered by a function
of its parameters; everything else (paging, dry runs, limits, errors and their reasons, types on
the wire) is as in the API.
API: https://cloud.google.com/bigquery/docs/reference/rest and
https://cloud.google.com/bigquery/docs/reference/storage/rpc.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
from concurrent import futures
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import grpc
import pyarrow as pa
from google.cloud.bigquery_storage_v1 import types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROJECT = "ml-production"
_SERVICE = "/google.cloud.bigquery.storage.v1.BigQueryRead/"
_PAGE = 1000
_RESULT = re.compile(r".*/projects/[^/]+/queries/(?P<job>[^/?]+)$")
_JOB = re.compile(r".*/projects/[^/]+/jobs/(?P<job>[^/?]+)$")
_TABLE = re.compile(r".*/projects/([^/]+)/datasets/([^/]+)/tables/([^/]+)(?P<data>/data)?$")


@dataclass
class BigQuery:
    """What there is, and what goes wrong."""

    tables: dict[str, pa.Table] = field(default_factory=dict)
    """By ``project.dataset.table``."""
    answers: dict[str, Callable[[dict[str, Any]], pa.Table]] = field(default_factory=dict)
    """By the query's text, a function of its parameters."""
    batches: dict[str, tuple[pa.RecordBatch, int]] = field(default_factory=dict)
    """By table: one batch that the Storage Read API gives so many times."""
    batch_rows: int = 50
    failures: list[tuple[int, str]] = field(default_factory=list)
    """HTTP status and reason that the next REST requests get instead."""
    cuts: list[int] = field(default_factory=list)
    """After how many batches the next streams break off."""
    denied: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    """Of the Storage Read API."""
    variables: dict[str, str] = field(default_factory=dict)
    """By which the official clients find this."""

    def fail_as_told(self) -> None:
        """Refuse a request with the next of :attr:`failures`."""
        if self.failures:
            status, reason = self.failures.pop(0)
            raise ApiError(status, reason, f"Exceeded: {reason}")

    def table_of(self, job: dict[str, Any]) -> pa.Table:
        """A job's result, or the reason why there is none, as an :class:`ApiError`."""
        asked = job["configuration"]["query"]
        if (answer := self.answers.get(asked["query"])) is None:
            word = asked["query"].split()[0]
            raise ApiError(400, "invalidQuery", f"Syntax error: Unexpected {word} at [1:1]")
        given = {
            each["name"]: _value(each["parameterType"], each["parameterValue"])
            for each in asked.get("queryParameters", ())
        }
        for name in re.findall(r"@(\w+)", asked["query"]):
            if name not in given:
                raise ApiError(400, "invalidQuery", f"Query parameter '{name}' not found at [1:1]")
        found = answer(given)
        most = int(asked.get("maximumBytesBilled", 0))
        if most and found.nbytes > most:
            told = (
                f"Query exceeded limit for bytes billed: {most}. {found.nbytes} or higher required."
            )
            raise ApiError(400, "bytesBilledLimitExceeded", told)
        return found


class ApiError(Exception):
    """An error as the API has it."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


class _Handler(BaseHTTPRequestHandler):
    big: BigQuery
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._do(self._get)

    def do_POST(self) -> None:
        self._do(self._post)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _do(self, answer: Callable[[], dict[str, Any]]) -> None:
        self.big.requests.append(f"{self.command} {urlsplit(self.path).path}")
        length = int(self.headers.get("Content-Length") or 0)
        self.body = json.loads(self.rfile.read(length) or b"{}")
        try:
            self.big.fail_as_told()
            status, told = 200, answer()
        except ApiError as error:
            status = error.status
            one = {"reason": error.reason, "message": str(error), "domain": "global"}
            told = {"error": {"code": status, "message": str(error), "errors": [one]}}
        content = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _post(self) -> dict[str, Any]:
        if not urlsplit(self.path).path.endswith("/jobs"):
            raise ApiError(404, "notFound", f"Not found: {self.path}")
        job = self.body
        dry = job["configuration"].get("dryRun", False)
        found = self.big.table_of(job)
        name = job["jobReference"]["jobId"]
        destination = {"projectId": PROJECT, "datasetId": "_results", "tableId": f"anon_{name}"}
        job["configuration"]["query"]["destinationTable"] = destination
        job["configuration"]["jobType"] = "QUERY"
        job |= {
            "kind": "bigquery#job",
            "status": {"state": "DONE"},
            "statistics": {
                "totalBytesProcessed": str(found.nbytes),
                "query": {"totalBytesProcessed": str(found.nbytes), "statementType": "SELECT"},
            },
        }
        if not dry:
            job["jobReference"] |= {"projectId": PROJECT, "location": "EU"}
            self.big.jobs[name] = job
            self.big.tables[f"{PROJECT}._results.anon_{name}"] = found
        return job

    def _get(self) -> dict[str, Any]:
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        path = unquote(parts.path)
        if match := _RESULT.match(path):
            job = self._job(match["job"])
            found = self.big.tables[f"{PROJECT}._results.anon_{match['job']}"]
            return {
                "kind": "bigquery#getQueryResultsResponse",
                "jobReference": job["jobReference"],
                "jobComplete": True,
                "schema": {"fields": _fields(found.schema)},
                **_page(found, asked),
            }
        if match := _JOB.match(path):
            return self._job(match["job"])
        if match := _TABLE.match(path):
            name = ".".join(match.groups()[:3])
            if name in self.big.denied:
                raise ApiError(403, "accessDenied", f"Access Denied: Table {name}")
            if name not in self.big.tables:
                raise ApiError(404, "notFound", f"Not found: Table {name}")
            found = self.big.tables[name]
            if match["data"]:
                chosen = asked.get("selectedFields")
                found = found.select(chosen.split(",")) if chosen else found
                return {"kind": "bigquery#tableDataList", **_page(found, asked)}
            project, dataset, table, _ = match.groups()
            return {
                "kind": "bigquery#table",
                "type": "TABLE",
                "tableReference": {"projectId": project, "datasetId": dataset, "tableId": table},
                "schema": {"fields": _fields(found.schema)},
                "numRows": str(found.num_rows),
                "numBytes": str(found.nbytes),
            }
        raise ApiError(404, "notFound", f"Not found: {path}")

    def _job(self, name: str) -> dict[str, Any]:
        if name not in self.big.jobs:
            raise ApiError(404, "notFound", f"Not found: Job {PROJECT}:EU.{name}")
        return self.big.jobs[name]


class _Storage(grpc.GenericRpcHandler):
    def __init__(self, big: BigQuery) -> None:
        self._big = big

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if details.method == f"{_SERVICE}CreateReadSession":
            return grpc.unary_unary_rpc_method_handler(
                self._session,
                request_deserializer=types.CreateReadSessionRequest.deserialize,
                response_serializer=types.ReadSession.serialize,
            )
        if details.method == f"{_SERVICE}ReadRows":
            return grpc.unary_stream_rpc_method_handler(
                self._rows,
                request_deserializer=types.ReadRowsRequest.deserialize,
                response_serializer=types.ReadRowsResponse.serialize,
            )
        return None

    def _session(self, request: Any, context: Any) -> Any:
        self._big.calls.append("CreateReadSession")
        _, project, _, dataset, _, table = request.read_session.table.split("/")
        name = f"{project}.{dataset}.{table}"
        if name in self._big.denied:
            told = "Permission 'bigquery.readsessions.create' denied"
            context.abort(grpc.StatusCode.PERMISSION_DENIED, told)
        found = self._big.tables[name]
        chosen = list(request.read_session.read_options.selected_fields)
        self._chosen = chosen or found.column_names
        streams = [types.ReadStream(name=name)] if found.num_rows else []
        schema = found.select(self._chosen).schema.serialize().to_pybytes()
        return types.ReadSession(
            name="session",
            table=request.read_session.table,
            data_format=types.DataFormat.ARROW,
            arrow_schema=types.ArrowSchema(serialized_schema=schema),
            streams=streams,
        )

    def _rows(self, request: Any, context: Any) -> Iterator[Any]:
        self._big.calls.append(f"ReadRows from {request.offset}")
        cut = self._big.cuts.pop(0) if self._big.cuts else None
        name, skipped = request.read_stream, request.offset
        for number, batch in enumerate(self._batches(name, skipped)):
            if number == cut:
                context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
            content = batch.serialize().to_pybytes()
            schema = batch.schema.serialize().to_pybytes()
            yield types.ReadRowsResponse(
                arrow_record_batch=types.ArrowRecordBatch(serialized_record_batch=content),
                arrow_schema=types.ArrowSchema(serialized_schema=schema) if not number else None,
                row_count=len(batch),
            )

    def _batches(self, name: str, skipped: int) -> Iterator[pa.RecordBatch]:
        if name in self._big.batches:
            batch, times = self._big.batches[name]
            return iter([batch] * times)
        found = self._big.tables[name].select(self._chosen).slice(skipped)
        return iter(found.to_batches(max_chunksize=self._big.batch_rows))


def _page(found: pa.Table, asked: dict[str, str]) -> dict[str, Any]:
    start = int(asked.get("pageToken") or asked.get("startIndex") or 0)
    size = min(int(asked.get("maxResults", _PAGE)), _PAGE)
    rows = found.slice(start, size)
    micros = asked.get("formatOptions.useInt64Timestamp", "").lower() == "true"
    columns = [[_wire(each, micros=micros) for each in column] for column in rows.columns]
    told = {
        "totalRows": str(found.num_rows),
        "rows": [{"f": [{"v": value} for value in row]} for row in zip(*columns, strict=True)],
    }
    if start + size < found.num_rows:
        told["pageToken"] = str(start + size)
    return told


def _wire(scalar: Any, *, micros: bool) -> Any:
    """A value as the REST API writes it: text, whatever its type."""
    if not scalar.is_valid:
        return [] if pa.types.is_list(scalar.type) else None
    if pa.types.is_list(scalar.type):
        return [{"v": _wire(each, micros=micros)} for each in scalar]
    if pa.types.is_timestamp(scalar.type) and scalar.type.tz:
        value = scalar.cast(pa.timestamp("us", "UTC")).value
        return str(value) if micros else f"{value / 1e6:.6f}"
    value = scalar.as_py()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _fields(schema: pa.Schema) -> list[dict[str, str]]:
    return [
        {
            "name": each.name,
            "type": _type(each.type.value_type if pa.types.is_list(each.type) else each.type),
            "mode": "REPEATED" if pa.types.is_list(each.type) else "NULLABLE",
        }
        for each in schema
    ]


def _type(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP" if kind.tz else "DATETIME"
    if pa.types.is_decimal(kind):
        return "NUMERIC"
    return {
        "int64": "INTEGER",
        "double": "FLOAT",
        "string": "STRING",
        "bool": "BOOLEAN",
        "date32[day]": "DATE",
        "binary": "BYTES",
    }[str(kind)]


def _value(kind: dict[str, Any], given: dict[str, Any]) -> Any:
    if kind["type"] == "ARRAY":
        return [_value(kind["arrayType"], each) for each in given.get("arrayValues", ())]
    convert = {"INT64": int, "FLOAT64": float, "BOOL": lambda text: text == "true"}
    return convert.get(kind["type"], str)(given["value"])


@contextlib.contextmanager
def bigquery_server(*, storage: bool = True) -> Iterator[BigQuery]:
    """Serve an empty BigQuery; its ``variables`` lead the official clients there."""
    big = BigQuery()
    handler = type("Handler", (_Handler,), {"big": big})
    web = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    web.daemon_threads = True
    threading.Thread(target=web.serve_forever, args=(0.05,), daemon=True).start()
    big.variables["BIGQUERY_EMULATOR_HOST"] = f"http://127.0.0.1:{web.server_port}"
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=(_Storage(big),))
    if storage:
        port = server.add_insecure_port("127.0.0.1:0")
        big.variables["BIGQUERY_STORAGE_EMULATOR_HOST"] = f"127.0.0.1:{port}"
    server.start()
    try:
        yield big
    finally:
        server.stop(None).wait(5)
        web.shutdown()
        web.server_close()


def orders(rows: int = 120) -> pa.Table:
    """Orders of a shop."""
    return pa.table(
        {
            "order": pa.array(range(rows), pa.int64()),
            "customer": pa.array([f"C-{each % 7}" for each in range(rows)], pa.string()),
            "total": pa.array([each / 7 for each in range(rows)], pa.float64()),
            "returned": pa.array([each % 5 == 0 for each in range(rows)], pa.bool_()),
        }
    )


@contextlib.contextmanager
def serving() -> Iterator[dict[str, str]]:
    """What the examples are run beside: a shop's orders."""
    with bigquery_server() as big:
        big.tables[f"{PROJECT}.shop.orders"] = orders()
        big.answers["SELECT * FROM shop.orders WHERE total >= @least ORDER BY `order`"] = (
            lambda given: orders().filter(
                pa.compute.greater_equal(orders()["total"], given["least"])
            )
        )
        yield big.variables
