import { describe, expect, it } from 'vitest';
import { startTestServer } from './test-server.ts';

describe('/metrics', () => {
  it('gives the figures in the text format of Prometheus', async () => {
    const { url } = await startTestServer();
    const response = await fetch(`${url}/metrics`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(samplesOf(await response.text())).toEqual({
      'job_scheduler_info{version="1.2.3"}': 1,
      'job_scheduler_jobs{status="active"}': 3,
      'job_scheduler_jobs{status="paused"}': 1,
      'job_scheduler_jobs{status="completed"}': 2,
      'job_scheduler_executions_total{status="success"}': 90,
      'job_scheduler_executions_total{status="failed"}': 10,
      'job_scheduler_executions_total{status="cancelled"}': 2,
      'job_scheduler_executions_total{status="skipped"}': 3,
      job_scheduler_retries_total: 4,
      'job_scheduler_executions_unfinished{status="pending"}': 5,
      'job_scheduler_executions_unfinished{status="running"}': 6,
      'job_scheduler_executions_unfinished{status="retrying"}': 7,
      'job_scheduler_executions_unfinished{status="blocked"}': 8,
      'job_scheduler_execution_duration_seconds{quantile="0.5"}': 0.1,
      'job_scheduler_execution_duration_seconds{quantile="0.95"}': 0.2,
      'job_scheduler_execution_duration_seconds{quantile="0.99"}': 0.3,
      'job_scheduler_execution_duration_seconds{quantile="1"}': 0.4,
      job_scheduler_execution_duration_seconds_sum: 12.5,
      job_scheduler_execution_duration_seconds_count: 100,
      job_scheduler_dead_letters: 9,
    });
  });

  it('says what each name means and of which kind it is, once', async () => {
    const { url } = await startTestServer();
    const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n');
    const named = (kind: string) =>
      lines.flatMap((line) => (line.startsWith(`# ${kind} `) ? (line.split(' ')[2] ?? []) : []));
    expect(named('HELP')).toEqual(named('TYPE'));
    expect(new Set(named('TYPE')).size).toBe(named('TYPE').length);
    expect(lines.at(-1)).toBe('');
  });

  it('answers 503 while the figures cannot be read', async () => {
    const { url, logged } = await startTestServer({ metrics: () => Promise.reject(new Error('away')) });
    const response = await fetch(`${url}/metrics`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'UNAVAILABLE' } }] });
    expect(logged('Figures could not be read')).toHaveLength(1);
  });

  it('has no body for HEAD, and no other methods', async () => {
    const { url } = await startTestServer();
    const head = await fetch(`${url}/metrics`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    const post = await fetch(`${url}/metrics`, { method: 'POST' });
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });
});

/** Each sample by its name and labels. */
function samplesOf(text: string): Record<string, number> {
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
  );
}
