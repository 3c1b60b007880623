"""What `streams.collector.compiled` takes of the compiled core: by the names of their twins, typed as those."""

from streams.collector.packing import Packing as Packing
