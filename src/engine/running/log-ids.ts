import { encodePublicId } from '../../domain/values/public-id.ts';

/** Ids as log fields, in the form that the API and the headers of a call use. */
export function logIds({ executionId, jobId }: { executionId: string; jobId?: string }): {
  executionId: string;
  jobId?: string;
} {
  return {
    executionId: encodePublicId('Execution', executionId),
    ...(jobId === undefined ? {} : { jobId: encodePublicId('Job', jobId) }),
  };
}
