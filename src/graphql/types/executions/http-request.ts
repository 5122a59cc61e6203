import { longestBytes, longestHeaders, longestUrl } from '../../answer-sizes.ts';
import { HEADER_LIMITS, IDENTITY_HEADERS } from '../../../domain/request/header-rules.ts';
import { MAX_TARGET_URL_LENGTH } from '../../../domain/request/target-url.ts';
import { type HttpMethod as Method, whyNoBody } from '../../../domain/request/http-method.ts';
import { JOB_LIMITS } from '../../../domain/job/job-limits.ts';
import { sentRequest } from '../../../domain/request/kept-request.ts';
import type { ShownRequest } from '../../../domain/request/outgoing-request.ts';
import { encodePublicId } from '../../../domain/values/public-id.ts';
import { maskBodyText } from '../../../domain/request/masked-body.ts';
import { maskHeaders, maskUrl } from '../../../domain/request/secrets.ts';
import { builder } from '../../builder.ts';
import { HttpMethod } from '../jobs/job-enums.ts';

export interface HttpRequestShape {
  method: Method;
  url: string;
  headers: Record<string, string>;
  body: string | null;
}

/** Of the headers by which a target knows the call, and the encodings that it accepts. */
const IDENTITY_BYTES = 600;

export const HttpRequest = builder.objectRef<HttpRequestShape>('HttpRequest').implement({
  description: 'A call as it goes to the target, secrets masked.',
  fields: (t) => ({
    method: t.expose('method', { type: HttpMethod, description: 'The method.' }),
    url: t.exposeString('url', {
      extensions: longestUrl(MAX_TARGET_URL_LENGTH),
      description: 'The URL; passwords and secret parameters are shown as `***`.',
    }),
    headers: t.field({
      extensions: longestHeaders(
        JOB_LIMITS.headersBytes + IDENTITY_BYTES,
        HEADER_LIMITS.count + IDENTITY_HEADERS.size + 1,
      ),
      type: 'JSON',
      description: 'Names and values; secret values are shown as `***`.',
      resolve: ({ headers }) => headers,
    }),
    body: t.exposeString('body', {
      extensions: longestBytes(2 * JOB_LIMITS.bodyBytes + 2),
      nullable: true,
      description:
        'The body as text; null where none is sent. Texts of fields that look like credentials are shown as `***`.',
    }),
  }),
});

/** What of a job makes its request. */
interface RequestFacts {
  method: Method;
  api: string;
  headers: unknown;
  body: unknown;
}

/** What of an execution makes its request, or has made it. */
interface ExecutionFacts {
  id: string;
  jobId: string;
  scheduledAt: Date | null;
  /** What the engine kept, already masked; null before the first attempt. */
  request: unknown;
  bodyOverride: unknown;
  job: RequestFacts;
}

/** The request of an execution: as it was last sent or, before the first attempt, as it would be sent now. */
export function requestOf({ request, bodyOverride, job, ...execution }: ExecutionFacts): HttpRequestShape {
  if (request !== null) {
    return sentRequest(request as ShownRequest, {
      executionId: encodePublicId('Execution', execution.id),
      jobId: encodePublicId('Job', execution.jobId),
      scheduledAt: execution.scheduledAt,
    });
  }
  const body = bodyOverride ?? job.body;
  return {
    method: job.method,
    url: maskUrl(job.api),
    headers: maskHeaders(job.headers as Record<string, string>),
    body:
      body === null || whyNoBody(job.method, body) !== null
        ? null
        : typeof body === 'string'
          ? maskBodyText(body)
          : maskBodyText(JSON.stringify(body)),
  };
}
