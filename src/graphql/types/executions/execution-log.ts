import { longestText, longestUrl, MAX_ERROR_CHARACTERS } from '../../answer-sizes.ts';
import { MAX_TARGET_URL_LENGTH } from '../../../domain/request/target-url.ts';
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
        extensions: longestText(MAX_ERROR_CHARACTERS + 100),
        description: 'What happened, in words.',
      }),
      attempt: t.exposeInt('attempt', {
        nullable: true,
        description: 'The attempt that it is about, from 1.',
      }),
      metadata: t.field({
        extensions: longestUrl(MAX_TARGET_URL_LENGTH + 100),
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
