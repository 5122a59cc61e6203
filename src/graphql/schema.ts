import { builder } from './builder.ts';
import './types/scalars.ts';
import './types/job-queries.ts';
import './types/job-mutations.ts';
import './types/job-dependency-mutations.ts';
import './types/job-bulk-mutations.ts';
import './types/job-upsert-mutations.ts';
import './types/tag-queries.ts';
import './types/tag-mutations.ts';
import './types/job-alert-mutations.ts';
import './types/execution-attempt.ts';
import './types/execution-triggers.ts';
import './types/dead-letter-queries.ts';
import './types/dead-letter-mutations.ts';
import './types/audit-log-queries.ts';
import './types/execution-queries.ts';
import './types/execution-mutations.ts';
import './types/request-test.ts';
import './types/execution-feed.ts';
import './types/job-feed.ts';
import './types/execution-log-feed.ts';
import './types/node-queries.ts';
import './types/health.ts';
import './types/scheduler-status.ts';
import './types/system-metrics.ts';
import './types/execution-histogram.ts';
import './types/failure-groups.ts';
import './types/planned.ts';
import './types/schedule-preview.ts';

builder.queryType({ description: 'What can be read.' });
builder.mutationType({ description: 'What can be done. Expected failures are in the payloads’ `errors`.' });
builder.subscriptionType({ description: 'What can be followed live.' });

/** The API. */
export const schema = builder.toSchema();
