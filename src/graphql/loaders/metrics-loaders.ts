import DataLoader from 'dataloader';
import type { AskedMetrics, JobPercentiles, LastEnds, MetricsReader } from '../../domain/metrics/metrics.ts';
import type { CountedSpan } from '../../domain/metrics/metrics-series.ts';

/** Figures of many jobs at once: a statement or two for each kind, whatever the number of jobs and windows. */
export interface MetricsLoaders {
  counts: DataLoader<AskedMetrics, CountedSpan>;
  percentiles: DataLoader<AskedMetrics, JobPercentiles>;
  lastEnds: DataLoader<string, LastEnds>;
}

/** Makes the loaders. They remember nothing: they outlive requests, and figures change. */
export function createMetricsLoaders(metrics: MetricsReader): MetricsLoaders {
  const nameOf = ({ jobId, window }: AskedMetrics) => `${jobId} ${window}`;
  return {
    counts: loaderOf(nameOf, metrics.jobCounts),
    percentiles: loaderOf(nameOf, metrics.jobPercentiles),
    lastEnds: loaderOf((jobId) => jobId, metrics.lastEnds),
  };
}

/** Reads each key of a batch once: several fields of one object ask for the same figures. */
function loaderOf<Key, Value>(
  nameOf: (key: Key) => string,
  read: (keys: readonly Key[]) => Promise<Value[]>,
): DataLoader<Key, Value> {
  return new DataLoader<Key, Value>(
    async (keys) => {
      const distinct = new Map(keys.map((key) => [nameOf(key), key]));
      const values = await read([...distinct.values()]);
      const byName = new Map([...distinct.keys()].map((name, index) => [name, values[index] as Value]));
      return keys.map((key) => byName.get(nameOf(key)) as Value);
    },
    { cache: false },
  );
}
