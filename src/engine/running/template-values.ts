import { encodePublicId } from '../../domain/values/public-id.ts';
import type { TemplateValues } from '../../domain/request/template.ts';
import type { ClaimedExecution } from '../../store/executions/claimed-rows.ts';

/** The values of an execution for the templates of its request. */
export function templateValuesOf({
  id,
  scheduledAt,
  jobId,
  jobName,
  attemptCount,
  upstream,
}: ClaimedExecution): TemplateValues {
  return {
    'execution.id': encodePublicId('Execution', id),
    'execution.scheduledAt': scheduledAt?.toISOString() ?? '',
    'job.id': encodePublicId('Job', jobId),
    'job.name': jobName,
    'attempt.number': String(attemptCount),
    'trigger.executionId': upstream ? encodePublicId('Execution', upstream.executionId) : '',
    'trigger.jobId': upstream ? encodePublicId('Job', upstream.jobId) : '',
    'trigger.status': upstream?.status ?? '',
    'trigger.responseStatus': upstream?.responseStatus?.toString() ?? '',
    'trigger.body': upstream?.body ?? '',
  };
}
