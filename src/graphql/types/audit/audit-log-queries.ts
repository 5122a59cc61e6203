import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { filteredPage } from '../../connection/filtered-page.ts';
import { auditEntriesMatching } from '../../filters/audit-log-where.ts';
import { WHERE_LIMITS } from '../../filters/read-where.ts';
import { AuditLogConnection, auditPage } from './audit-log-connection.ts';
import { AuditAction, AuditLogEntry } from './audit-log-entry.ts';
import { BAD_FILTERED_LIST_ARGUMENT } from '../shared/error-texts.ts';
import { DateTimeFilter, StringFilter } from '../shared/filter-inputs.ts';

const AuditLogWhere = builder.inputType('AuditLogWhere', {
  description: 'Selects entries of the audit log; all fields given must hold.',
  fields: (t) => ({
    jobId: t.idList({
      description: `What was done to any of these jobs, ${WHERE_LIMITS.list} at most; an id of something else matches nothing.`,
    }),
    action: t.field({
      type: [AuditAction],
      description: `What was done is any of these, ${WHERE_LIMITS.list} at most.`,
    }),
    actor: t.field({ type: StringFilter, description: 'Who did it.' }),
    at: t.field({ type: DateTimeFilter, description: 'When it was done.' }),
  }),
});

builder.queryFields((t) => ({
  auditLog: t.connection(
    {
      authScopes: needs('ADMIN'),
      type: AuditLogEntry,
      description: `Who did what, newest first. An entry is kept for AUDIT_RETENTION_DAYS, also where its job is deleted. ${BAD_FILTERED_LIST_ARGUMENT}.`,
      args: { where: t.arg({ type: AuditLogWhere, description: 'Only these.' }) },
      resolve: (_root, args, context, info) =>
        filteredPage(args.where, context, auditPage(auditEntriesMatching(args.where), args, context, info)),
    },
    AuditLogConnection,
  ),
}));
