/** The types of the schema's scalars as they arrive, for the option `scalars` of GraphQL Code Generator. */
export const scalars = {
  /** An instant in ISO 8601, in UTC and to the millisecond: `2026-01-31T12:00:00.000Z`. */
  DateTime: 'string',
  /** Any JSON value. */
  JSON: 'unknown',
};
