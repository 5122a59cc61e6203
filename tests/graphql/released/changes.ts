/**
 * The last release, whose schema stands beside this file. At a release the printed schema is copied here under the new
 * version, the older one goes, and both lists below begin anew.
 */
export const LAST_RELEASE = '0.1.0';

/** Changes since then that break clients, as the test names them, each with the reason why it must be. */
export const BREAKING: Readonly<Record<string, string>> = {};

/**
 * Changes since then by which a client that was written carelessly may stumble, as the test names them: such as a new value
 * of an enum, for those who thought that they knew all. Each with what the release's notes should say of it.
 */
export const DANGEROUS: Readonly<Record<string, string>> = {
  'An optional arg endAt on Query.previewSchedule was added.': 'Previews know the window of a job.',
  'An optional arg startAt on Query.previewSchedule was added.':
    'Previews know the window of a job, and where @every counts from.',
  'An optional field reason on input type BulkJobsInput was added.': 'pauseJobs writes down why.',
  'An optional field until on input type BulkJobsInput was added.': 'pauseJobs can end by itself.',
};
