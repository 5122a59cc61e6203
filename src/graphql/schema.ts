import { builder } from './builder.ts';
import './types/shared/scalars.ts';
import './types/jobs/job-queries.ts';
import './types/jobs/job-mutations.ts';
import './types/workflow/job-dependency-mutations.ts';
import './types/jobs/job-bulk-mutations.ts';
import './types/jobs/job-upsert-mutations.ts';
import './types/tags/tag-queries.ts';
import './types/tags/tag-mutations.ts';
import './types/alerts/job-alert-mutations.ts';
import './types/executions/execution-attempt.ts';
import './types/executions/execution-triggers.ts';
import './types/dead-letters/dead-letter-queries.ts';
import './types/dead-letters/dead-letter-mutations.ts';
import './types/audit/audit-log-queries.ts';
import './types/executions/execution-queries.ts';
import './types/executions/execution-mutations.ts';
import './types/jobs/request-test.ts';
import './types/executions/execution-feed.ts';
import './types/jobs/job-feed.ts';
import './types/executions/execution-log-feed.ts';
import './types/shared/node-queries.ts';
import './types/system/health.ts';
import './types/system/scheduler-status.ts';
import './types/system/system-metrics.ts';
import './types/system/execution-histogram.ts';
import './types/executions/failure-groups.ts';
import './types/jobs/planned.ts';
import './types/jobs/schedule-preview.ts';

builder.queryType({ description: 'What can be read.' });
builder.mutationType({ description: 'What can be done. Expected failures are in the payloads’ `errors`.' });
builder.subscriptionType({ description: 'What can be followed live.' });

/** The API. */
export const schema = builder.toSchema();
