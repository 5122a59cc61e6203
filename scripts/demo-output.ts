import type { ExecutionEvent, FeedItem } from './demo-feed.ts';
import type { DemoJob } from './demo-jobs.ts';

const COLOURS = { dim: 2, red: 31, green: 32, yellow: 33, cyan: 36, bold: 1 };
type Colour = keyof typeof COLOURS;

const KIND_COLOURS: Record<string, Colour> = {
  PLANNED: 'dim',
  STARTED: 'cyan',
  SUCCEEDED: 'green',
  RETRY_SCHEDULED: 'yellow',
  FAILED: 'red',
};

/** Prints the demo, in colour only where a person watches a terminal. */
export interface DemoOutput {
  starting: (withEmbeddedDatabase: boolean) => void;
  ready: (graphqlUrl: string, jobs: readonly DemoJob[], hint: string) => void;
  item: (item: FeedItem) => void;
  summary: (lastedMs: number) => void;
  /** Executions that have begun: what the demo is there to show. */
  startedCount: () => number;
}

export function createDemoOutput(stream: NodeJS.WriteStream): DemoOutput {
  const coloured = stream.isTTY && !process.env['NO_COLOR'];
  const paint = (colour: Colour | undefined, text: string): string =>
    coloured && colour ? `\u001b[${COLOURS[colour]}m${text}\u001b[0m` : text;
  const line = (text = ''): void => {
    stream.write(`${text}\n`);
  };
  const counts = new Map<string, number>();
  /** What comes before the header waits for it. */
  let held: FeedItem[] | undefined = [];
  const count = (kind: string): number => counts.get(kind) ?? 0;

  function print(item: FeedItem): void {
    if (!('kind' in item)) {
      line(paint('yellow', `Some events are gone (${item.reason}); going on after the gap.`));
      return;
    }
    counts.set(item.kind, count(item.kind) + 1);
    const { at, kind, attempt, execution } = item;
    const columns = [
      paint('dim', new Date(at).toISOString().slice(11, 23)),
      execution.job.name.padEnd(7),
      paint(KIND_COLOURS[kind], kind.padEnd(15)),
      (attempt === null ? '' : `attempt ${attempt}`).padEnd(9),
      detailOf(item),
    ];
    line(columns.join('  ').trimEnd());
  }

  return {
    starting(withEmbeddedDatabase) {
      line(`Starting the scheduler${withEmbeddedDatabase ? ' and its embedded PostgreSQL' : ''} …`);
    },
    ready(graphqlUrl, jobs, hint) {
      line();
      line(`GraphiQL   ${paint('bold', graphqlUrl)}`);
      for (const { name, scheduleDescription } of jobs)
        line(`Job        ${name.padEnd(7)}  ${scheduleDescription}`);
      line();
      line(paint('dim', hint));
      line();
      const items = held ?? [];
      held = undefined;
      items.forEach(print);
    },
    item(item) {
      if (held) held.push(item);
      else print(item);
    },
    summary(lastedMs) {
      line();
      line(
        `${(lastedMs / 1000).toFixed(0)} s: ${count('STARTED')} calls, ${count('SUCCEEDED')} executions succeeded, ` +
          `${count('RETRY_SCHEDULED')} retries, ${count('FAILED')} in the dead letter queue.`,
      );
    },
    startedCount: () => count('STARTED'),
  };
}

/** The execution is told as it is now, so each fact is shown only where it belongs to the event. */
function detailOf({ kind, attempt, status, execution }: ExecutionEvent): string {
  switch (kind) {
    case 'PLANNED':
      return execution.trigger === 'SCHEDULE' ? '' : execution.trigger;
    case 'STARTED':
      return attempt === 1 && execution.latenessMs !== null
        ? `${execution.latenessMs} ms after its second`
        : '';
    case 'SUCCEEDED':
      return [
        `HTTP ${execution.responseStatus ?? '?'}`,
        execution.durationMs === null ? '' : `in ${execution.durationMs} ms`,
      ].join(' ');
    case 'RETRY_SCHEDULED':
      return execution.errorMessage ?? '';
    case 'FAILED':
      return `${execution.errorMessage ?? ''} → dead letter queue`;
    default:
      return status;
  }
}
