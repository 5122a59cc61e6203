import { longestBytes } from '../../answer-sizes.ts';
import type { ExecutionLog as ExecutionLogRow } from '../../../generated/prisma/client.ts';
import { builder } from '../../builder.ts';
import { LogLevel } from './execution-enums.ts';

export const ExecutionLog = builder
  .objectRef<Pick<ExecutionLogRow, 'at' | 'level' | 'message' | 'attempt'> & { metadata: unknown }>(
    'ExecutionLog',
  )
  .implement({
    description: 'A line of an execution’s log.',
    fields: (t) => ({
      at: t.expose('at', { type: 'DateTime', description: 'When it was written.' }),
      level: t.expose('level', { type: LogLevel, description: 'How grave it is.' }),
      message: t.exposeString('message', {
        extensions: longestBytes(4_000),
        description: 'What happened, in words.',
      }),
      attempt: t.exposeInt('attempt', {
        nullable: true,
        description: 'The attempt that it is about, from 1.',
      }),
      metadata: t.field({
        extensions: longestBytes(4_000),
        type: 'JSON',
        nullable: true,
        description: 'Facts beside the message.',
        resolve: ({ metadata }) => metadata,
      }),
    }),
  });

export const ExecutionLogConnection = builder.connectionObject(
  { type: ExecutionLog, name: 'ExecutionLogConnection' },
  { name: 'ExecutionLogEdge' },
);
