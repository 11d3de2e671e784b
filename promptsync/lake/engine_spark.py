"""Spark as an engine of the lake: decoding and folding on the machines of a cluster.

Owns the session and the jobs; what a machine does of them is in spark_tasks.py. The only module that imports pyspark.
Files go through promptsync's own storage, so that Spark needs no libraries of object stores or of Delta; what Spark
itself does is to bring the claims of a key together, and to fold and divide the rows.
"""

import os
import pickle
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession, functions
from pyspark.sql import types as T

from promptsync.errors import ConfigError, PromptsyncError, Unavailable
from promptsync.lake.engine import BUCKET, SHELF_ROWS, ClaimFile, FoldWork, MadeFile
from promptsync.lake.fold_sql import SPARK, Fold
from promptsync.lake.shape import ORG, is_owned, row_key, shelf_of
from promptsync.lake.spark_tasks import ANSWER, DecodeTask, ReadTask, WriteTask, schema_of, store
from promptsync.lake.storage import PARTS, Storage
from promptsync.loading.report import Recognised

if TYPE_CHECKING:
    from promptsync.lake.inputs import Input
    from promptsync.lake.parts import Decoded, Decoder

_TASK_ROWS: Final = 200_000
"""Rows that one task reads."""

_BROADCAST_ROWS: Final = 500_000
"""Of what ends rows: below it every task gets all of it."""

_LEFT_OVER: Final = 24 * 3600
"""Seconds after which parts are those of a run that was killed."""

_TYPES: Final = {"int64": T.LongType(), "double": T.DoubleType(), "string": T.StringType(), "binary": T.BinaryType()}
_PLANNING: Final = threading.Lock()
"""Warnings are left out for all threads."""

_SETTINGS: Final = {"spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR"}


class SparkEngine:
    """Decodes and folds on a cluster. ``master``: its address; "" for the one that the process was started for."""

    at_once = 4  # most tables are small, and leave workers idle

    def __init__(self, storage: Storage, master: str) -> None:
        self._storage = storage
        self._part = f"{PARTS}/{uuid4().hex}"
        with _translated():
            self._own, self._spark = _session(master)
            self._spark.conf.set("spark.sql.caseSensitive", "true")

    def decode(self, decoder: "Decoder", groups: "Sequence[Sequence[Input]]") -> "Iterator[list[Decoded]]":
        """One task for each group."""
        plain = [[replace(one, found=_plain(one.found)) for one in some] for some in groups]
        task = DecodeTask(replace(decoder, folder=Path()), plain, self._storage, self._part)
        with _translated():
            yield from self._answers(self._numbers(len(plain)), task) if plain else ()

    def fold(self, work: FoldWork) -> list[MadeFile]:
        """The rows that the files make, as new files in the lake."""
        fold, layout = Fold(work.layout, SPARK), work.layout
        files = [store(self._storage, self._part, file) for file in work.files]
        tasks = -(-sum(file.rows for file in files) // SHELF_ROWS) or 1
        with _translated(), self._views() as view:
            read = ReadTask(_together(files), layout)
            claims = self._mapped(self._numbers(len(read.groups)), read, schema_of(layout))
            key, shelf = row_key(work.table), shelf_of(work.table)
            ranged = tasks > 1 and shelf in key
            if ranged:  # as the files are to be divided: no claim has to move again
                claims = _in_bucket(claims, work).repartitionByRange(tasks, BUCKET, SPARK.name(shelf))
            else:
                claims = claims.repartition(tasks, *map(SPARK.name, key)) if tasks > 1 else claims.coalesce(1)
            rows = self._spark.sql(fold.folded(view(claims), (BUCKET, shelf) if ranged else ()))
            lies_apart = not ranged
            if work.ends is None:
                ended = self._spark.sql(fold.ended(view(rows)))
            else:
                known = [tuple(row.values()) for row in work.ends.to_pylist()]
                ends = view(self._spark.createDataFrame(known, _schema(work.ends.schema)).coalesce(1))
                everywhere = len(known) < _BROADCAST_ROWS
                ended = self._spark.sql(fold.ended(view(rows), ends, "/*+ BROADCAST(g) */" if everywhere else ""))
                lies_apart |= not everywhere
            return self._written(work, fold, _in_bucket(ended, work), tasks if lies_apart else 1)

    def close(self) -> None:
        """End the session, if it was begun here, and delete the parts of this run, and of runs that were killed."""
        try:
            self._storage.remove_below(self._part)
            self._storage.remove_below(PARTS, time.time() - _LEFT_OVER)
        finally:
            if self._own:
                with _translated():
                    self._spark.stop()

    def _written(self, work: FoldWork, fold: Fold, rows: DataFrame, apart: int) -> list[MadeFile]:
        """Write rows; those that lie apart, in so many tasks, are divided first."""
        order = list(map(SPARK.name, dict.fromkeys((BUCKET, shelf_of(work.table), *row_key(work.table)))))
        columns = schema_of(work.layout)
        if fold.end:
            columns = columns.append(pa.field(fold.end, pa.string()))
        task = WriteTask(work.layout, columns, self._storage, work.keeping)
        rows = rows.persist() if apart > 1 else rows  # looked at for its ranges, and written
        try:
            divided = rows.repartitionByRange(apart, *order[:2]) if apart > 1 else rows
            found: Iterator[list[MadeFile]] = self._answers(divided.sortWithinPartitions(*order), task)
            return [file for some in found for file in some]
        finally:
            rows.unpersist()

    def _numbers(self, count: int) -> DataFrame:
        """0, 1, 2, each in a task of its own."""
        return self._spark.range(0, count, 1, count)

    def _mapped(self, frame: DataFrame, task: Any, schema: pa.Schema) -> DataFrame:
        frame = frame.toDF(*(f"c{n}" for n in range(len(frame.columns))))  # it takes no odd names
        with _PLANNING, warnings.catch_warnings():  # of versions of pandas, of which nothing is used here
            warnings.simplefilter("ignore", FutureWarning)
            return frame.mapInArrow(task, _schema(schema))

    def _answers(self, frame: DataFrame, task: Any) -> Iterator[Any]:
        """What each task answers. Raises its PromptsyncError."""
        for row in self._mapped(frame, task, ANSWER).collect():
            found = pickle.loads(row[0])  # noqa: S301  from our own tasks
            if isinstance(found, PromptsyncError):
                raise found
            yield found

    @contextmanager
    def _views(self) -> Iterator[Any]:
        """What gives frames names in SQL, which they have until the end."""
        names = list[str]()

        def view(frame: DataFrame) -> str:
            names.append(f"promptsync_{uuid4().hex}")
            frame.createOrReplaceTempView(names[-1])
            return names[-1]

        try:
            yield view
        finally:
            for name in names:
                self._spark.catalog.dropTempView(name)


def _schema(schema: pa.Schema) -> T.StructType:
    return T.StructType([T.StructField(field.name, _TYPES[str(field.type)]) for field in schema])


def _in_bucket(frame: DataFrame, work: FoldWork) -> DataFrame:
    bucket = f"{ORG} % {work.buckets:d}" if is_owned(work.table) else "0"
    return frame.withColumn(BUCKET, functions.expr(bucket).cast("int"))


def _session(master: str) -> tuple[bool, SparkSession]:
    """Whether it is to be ended here, and the session. One that the process was started for is left alone."""
    builder = SparkSession.builder.appName("promptsync lake")
    for name, value in _SETTINGS.items():
        builder = builder.config(name, value)
    if master:
        builder = builder.master(master)
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    with _PLANNING, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return bool(master), builder.getOrCreate()


def _plain(found: Recognised | None) -> Recognised | None:
    """What a name says, without the functions that said it."""
    return found and Recognised(found.rank, stated=found.stated, refused=found.refused)


def _together(files: Sequence[ClaimFile]) -> list[list[ClaimFile]]:
    """Files by the task that reads them."""
    groups, rows = list[list[ClaimFile]](), 0
    for file in files:
        if not groups or rows + file.rows > _TASK_ROWS:
            groups.append([])
            rows = 0
        groups[-1].append(file)
        rows += file.rows
    return groups


@contextmanager
def _translated() -> Iterator[None]:
    """Spark's errors. Their texts quote what was computed."""
    try:
        yield
    except AnalysisException:  # a statement of ours
        raise
    except PySparkException as error:
        if "JAVA_GATEWAY_EXITED" in str(error):
            raise ConfigError("Spark needs Java 17 or newer: install it, or say where it is in JAVA_HOME.") from error
        raise Unavailable(_failed(error)) from error
    except Py4JError as error:
        raise Unavailable(_failed(error)) from error


def _failed(error: Exception) -> str:
    return f"Spark cannot go on ({type(error).__name__}); its own log says why. Run it again once that is put right."
