import { builder } from '../../builder.ts';
import { Job } from './job.ts';

export const JobConnection = builder.connectionObject(
  {
    type: Job,
    name: 'JobConnection',
    description: 'A page of a list of jobs.',
  },
  { name: 'JobEdge', description: 'A job of a page.' },
);
