import type { Pool } from 'pg';
import type { Delivery } from './caller-back.ts';

type Attempt = {
  executionId: string;
  number: number;
  failureReason: string | null;
  isLast: boolean;
  responseBody: string | null;
};

const ATTEMPTS = `
SELECT a.execution_id AS "executionId", a.number, a.failure_reason AS "failureReason",
  a.number = e.attempt_count AS "isLast", e.response_body AS "responseBody"
FROM all_execution_attempts AS a JOIN job_executions AS e ON e.id = a.execution_id
ORDER BY 1, 2`;

/**
 * Joins what targets know of their callbacks with the tables: each attempt ended as its callback said, which counted
 * once, whoever heard it and however often it was sent; or it was lost with its instance, and its callback was refused.
 *
 * @returns what is wrong, one sentence each
 */
export async function callbackViolations(pool: Pool, deliveries: readonly Delivery[]): Promise<string[]> {
  const { rows } = await pool.query<Attempt>(ATTEMPTS);
  const sent = new Map(
    deliveries.map((delivery) => [keyOf(delivery.executionId, delivery.attempt), delivery]),
  );
  const violations = rows.flatMap((attempt) => {
    const key = keyOf(attempt.executionId, attempt.number);
    const delivery = sent.get(key);
    sent.delete(key);
    return violationsOf(attempt, delivery).map((what) => `${key}: ${what}`);
  });
  return [
    ...violations,
    ...[...sent.keys()].map((key) => `${key}: was called back about, and is not recorded`),
  ];
}

function keyOf(executionId: string, attempt: number): string {
  return `${executionId}, attempt ${attempt}`;
}

function violationsOf(attempt: Attempt, delivery: Delivery | undefined): string[] {
  if (attempt.failureReason === 'INSTANCE_LOST') {
    const isRefused =
      delivery === undefined || delivery.answers.filter(isStatus).every((answer) => answer === 410);
    return isRefused ? [] : [`was lost, and its callback was answered ${delivery.answers.join(', ')}`];
  }
  if (!delivery) return ['was never called back about'];
  const { status, answers } = delivery;
  const said = status === 'failure' ? 'CALLBACK' : null;
  const statuses = answers.filter(isStatus);
  const isOneAccepted = statuses.filter((answer) => answer === 200).length <= 1;
  const areOthersRepeats = statuses.every((answer) => answer === 200 || answer === 409);
  const output = JSON.stringify({ attempt: attempt.number });
  return [
    ...(attempt.failureReason === said
      ? []
      : [`its callback said ${status}, and it ended with ${attempt.failureReason ?? 'success'}`]),
    ...(isOneAccepted && areOthersRepeats ? [] : [`its callback was answered ${answers.join(', ')}`]),
    ...(attempt.isLast && attempt.responseBody !== output
      ? [`has ${attempt.responseBody ?? 'nothing'} for the callback's output`]
      : []),
  ];
}

/** Tries that ended without an answer, or with a fault of the server, say nothing of what was recorded. */
function isStatus(answer: Delivery['answers'][number]): answer is number {
  return typeof answer === 'number' && answer < 500;
}
