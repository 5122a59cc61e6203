import type { StoredAlert } from '../store/alerts/alerts.ts';
import type { StoredJob } from '../store/jobs/jobs.ts';
import type { StoredTag } from '../store/tags/tags.ts';
import type { AlertReference } from './alerts/alert-checks.ts';
import { createApiKey, type CreateApiKeyInput, type NewApiKey } from './access/create-api-key.ts';
import { revokeApiKey } from './access/revoke-api-key.ts';
import { rotateApiKey, type RotateApiKeyInput } from './access/rotate-api-key.ts';
import { addJobDependency, type AddJobDependencyInput } from './workflow/add-job-dependency.ts';
import { cancelExecution, type CancelExecutionInput } from './executions/cancel-execution.ts';
import type { Caller, CommandDeps } from './command-deps.ts';
import type { CommandResult } from './command-result.ts';
import { createJob, type CreateJobInput } from './jobs/create-job.ts';
import { createTag, type CreateTagInput } from './tags/create-tag.ts';
import type { DeadLettersInput } from './dead-letters/dead-letter-selection.ts';
import { deleteJob } from './jobs/delete-job.ts';
import { deleteJobs } from './jobs/delete-jobs.ts';
import { deleteTag } from './tags/delete-tag.ts';
import { createJobAlert, type CreateJobAlertInput } from './alerts/create-job-alert.ts';
import { deleteJobAlert } from './alerts/delete-job-alert.ts';
import { discardDeadLetters } from './dead-letters/discard-dead-letters.ts';
import type { DependencyReference } from './workflow/dependency-record.ts';
import type { JobReference } from './jobs/job-checks.ts';
import type { BulkJobsInput, BulkOutcome } from './jobs/job-chunks.ts';
import { pauseJob, type PauseJobInput } from './jobs/pause-job.ts';
import { pauseJobs, type PauseJobsInput } from './jobs/pause-jobs.ts';
import { redriveDeadLetters } from './dead-letters/redrive-dead-letters.ts';
import { removeJobDependency } from './workflow/remove-job-dependency.ts';
import { resumeJob } from './jobs/resume-job.ts';
import { resumeJobs } from './jobs/resume-jobs.ts';
import { retryExecution, type RetryExecutionInput } from './executions/retry-execution.ts';
import { skipRun, type SkipRunInput } from './jobs/skip-run.ts';
import { addJobTags, removeJobTags, type TagJobInput } from './tags/tag-job.ts';
import { triggerJob, type TriggerJobInput } from './executions/trigger-job.ts';
import { triggerJobs } from './executions/trigger-jobs.ts';
import { updateJob, type UpdateJobInput } from './jobs/update-job.ts';
import { updateTag, type UpdateTagInput } from './tags/update-tag.ts';
import { testJobAlert } from './alerts/test-job-alert.ts';
import { updateJobAlert, type UpdateJobAlertInput } from './alerts/update-job-alert.ts';
import { upsertJob, upsertJobs, type UpsertJobsInput, type UpsertOutcome } from './jobs/upsert-jobs.ts';

/** What a user may do, each bound to the application's parts. */
export interface Commands {
  createJob: (by: Caller, input: CreateJobInput) => Promise<CommandResult<StoredJob>>;
  updateJob: (by: Caller, input: UpdateJobInput) => Promise<CommandResult<StoredJob>>;
  upsertJob: (by: Caller, input: CreateJobInput) => Promise<CommandResult<StoredJob>>;
  upsertJobs: (by: Caller, input: UpsertJobsInput) => Promise<CommandResult<UpsertOutcome>>;
  pauseJob: (by: Caller, input: PauseJobInput) => Promise<CommandResult<StoredJob>>;
  resumeJob: (by: Caller, input: JobReference) => Promise<CommandResult<StoredJob>>;
  deleteJob: (by: Caller, input: JobReference) => Promise<CommandResult<StoredJob>>;
  triggerJob: (
    by: Caller,
    input: TriggerJobInput,
  ) => Promise<CommandResult<{ executionId: string; created: boolean }>>;
  pauseJobs: (by: Caller, input: PauseJobsInput) => Promise<CommandResult<BulkOutcome>>;
  resumeJobs: (by: Caller, input: BulkJobsInput) => Promise<CommandResult<BulkOutcome>>;
  triggerJobs: (by: Caller, input: BulkJobsInput) => Promise<CommandResult<BulkOutcome>>;
  deleteJobs: (by: Caller, input: BulkJobsInput) => Promise<CommandResult<BulkOutcome>>;
  createTag: (by: Caller, input: CreateTagInput) => Promise<CommandResult<StoredTag>>;
  updateTag: (by: Caller, input: UpdateTagInput) => Promise<CommandResult<StoredTag>>;
  deleteTag: (by: Caller, input: { id: string }) => Promise<CommandResult<{ id: string }>>;
  addJobTags: (by: Caller, input: TagJobInput) => Promise<CommandResult<StoredJob>>;
  removeJobTags: (by: Caller, input: TagJobInput) => Promise<CommandResult<StoredJob>>;
  addJobDependency: (
    by: Caller,
    input: AddJobDependencyInput,
  ) => Promise<CommandResult<{ dependencyId: string }>>;
  removeJobDependency: (by: Caller, input: DependencyReference) => Promise<CommandResult<StoredJob>>;
  skipRun: (by: Caller, input: SkipRunInput) => Promise<CommandResult<{ executionId: string }>>;
  cancelExecution: (
    by: Caller,
    input: CancelExecutionInput,
  ) => Promise<CommandResult<{ executionId: string }>>;
  retryExecution: (by: Caller, input: RetryExecutionInput) => Promise<CommandResult<{ executionId: string }>>;
  redriveDeadLetters: (
    by: Caller,
    input: DeadLettersInput,
  ) => Promise<CommandResult<{ executionIds: string[] }>>;
  discardDeadLetters: (
    by: Caller,
    input: DeadLettersInput,
  ) => Promise<CommandResult<{ matchedCount: number; changedCount: number }>>;
  createJobAlert: (by: Caller, input: CreateJobAlertInput) => Promise<CommandResult<StoredAlert>>;
  updateJobAlert: (by: Caller, input: UpdateJobAlertInput) => Promise<CommandResult<StoredAlert>>;
  deleteJobAlert: (by: Caller, input: AlertReference) => Promise<CommandResult<{ alertId: string }>>;
  testJobAlert: (input: AlertReference) => Promise<CommandResult<{ deliveryId: string }>>;
  createApiKey: (by: Caller, input: CreateApiKeyInput) => Promise<CommandResult<NewApiKey>>;
  rotateApiKey: (by: Caller, input: RotateApiKeyInput) => Promise<CommandResult<NewApiKey>>;
  revokeApiKey: (by: Caller, input: { id: string }) => Promise<CommandResult<{ id: string }>>;
}

/** Binds the commands. */
export function createCommands(deps: CommandDeps): Commands {
  return {
    createJob: (by, input) => createJob(deps, by, input),
    updateJob: (by, input) => updateJob(deps, by, input),
    upsertJob: (by, input) => upsertJob(deps, by, input),
    upsertJobs: (by, input) => upsertJobs(deps, by, input),
    pauseJob: (by, input) => pauseJob(deps, by, input),
    resumeJob: (by, input) => resumeJob(deps, by, input),
    deleteJob: (by, input) => deleteJob(deps, by, input),
    triggerJob: (by, input) => triggerJob(deps, by, input),
    pauseJobs: (by, input) => pauseJobs(deps, by, input),
    resumeJobs: (by, input) => resumeJobs(deps, by, input),
    triggerJobs: (by, input) => triggerJobs(deps, by, input),
    deleteJobs: (by, input) => deleteJobs(deps, by, input),
    createTag: (by, input) => createTag(deps, by, input),
    updateTag: (by, input) => updateTag(deps, by, input),
    deleteTag: (by, input) => deleteTag(deps, by, input),
    addJobTags: (by, input) => addJobTags(deps, by, input),
    removeJobTags: (by, input) => removeJobTags(deps, by, input),
    addJobDependency: (by, input) => addJobDependency(deps, by, input),
    removeJobDependency: (by, input) => removeJobDependency(deps, by, input),
    skipRun: (by, input) => skipRun(deps, by, input),
    cancelExecution: (by, input) => cancelExecution(deps, by, input),
    retryExecution: (by, input) => retryExecution(deps, by, input),
    redriveDeadLetters: (by, input) => redriveDeadLetters(deps, by, input),
    discardDeadLetters: (by, input) => discardDeadLetters(deps, by, input),
    createJobAlert: (by, input) => createJobAlert(deps, by, input),
    updateJobAlert: (by, input) => updateJobAlert(deps, by, input),
    deleteJobAlert: (by, input) => deleteJobAlert(deps, by, input),
    testJobAlert: (input) => testJobAlert(deps, input),
    createApiKey: (by, input) => createApiKey(deps, by, input),
    rotateApiKey: (by, input) => rotateApiKey(deps, by, input),
    revokeApiKey: (by, input) => revokeApiKey(deps, by, input),
  };
}
