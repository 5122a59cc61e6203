/**
 * The last release. Its schema is next to this file. At a release, copy the printed schema here under the new version,
 * delete the older one, and empty both lists below.
 */
export const LAST_RELEASE = '0.1.0';

/** Changes since then that break clients, as the test names them, each with its reason. */
export const BREAKING: Readonly<Record<string, string>> = {};

/**
 * Changes since then that may break careless clients, as the test names them. An example is a new value of an enum, for
 * clients that handle only the known values. Each has its text for the release notes.
 */
export const DANGEROUS: Readonly<Record<string, string>> = {
  'An optional arg endAt on Query.previewSchedule was added.': 'Previews know the window of a job.',
  'An optional arg startAt on Query.previewSchedule was added.':
    'Previews know the window of a job, and where @every counts from.',
  'API_KEY_CREATED was added to enum type AuditAction.': 'The audit log has API keys.',
  'API_KEY_REVOKED was added to enum type AuditAction.': 'The audit log has API keys.',
  'API_KEY_ROTATED was added to enum type AuditAction.': 'The audit log has API keys.',
  'An optional field reason on input type BulkJobsInput was added.': 'pauseJobs writes down why.',
  'An optional field until on input type BulkJobsInput was added.': 'pauseJobs can end by itself.',
};
