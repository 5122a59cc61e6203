/** A span of time in equal buckets. It ends before `to`. */
export interface BucketedSpan {
  from: Date;
  to: Date;
  bucketMs: number;
}

/** More than a chart is wide. */
export const MAX_BUCKETS = 500;

/** Why a span is not valid: the wrong field, and its fault. */
export interface SpanProblem {
  field: 'to' | 'bucketMs';
  message: string;
}

/** The fault of a span; null when it has none. */
export function checkSpan(span: BucketedSpan): SpanProblem | null {
  if (span.to <= span.from) return { field: 'to', message: 'must be after from.' };
  if (span.bucketMs < 1) return { field: 'bucketMs', message: 'must be 1 or more.' };
  const count = bucketCount(span);
  if (count > MAX_BUCKETS) {
    return { field: 'bucketMs', message: `cuts the span into ${count} buckets; allowed are ${MAX_BUCKETS}.` };
  }
  return null;
}

/** How many buckets a span has. The last one may reach beyond `to`. */
export function bucketCount({ from, to, bucketMs }: BucketedSpan): number {
  return Math.ceil((to.getTime() - from.getTime()) / bucketMs);
}

/** The bounds of each bucket, oldest first. */
export function boundsOf(span: BucketedSpan): { from: Date; to: Date }[] {
  const startMs = span.from.getTime();
  return Array.from({ length: bucketCount(span) }, (_, index) => ({
    from: new Date(startMs + index * span.bucketMs),
    to: new Date(startMs + (index + 1) * span.bucketMs),
  }));
}
