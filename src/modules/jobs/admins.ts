// All jobs, for admins.

import { and, desc, eq, sql } from 'drizzle-orm';
import { defaultPageSize, readCursor, TimePosition, toPage } from '../../protocol/paging.ts';
import { query } from '../../realtime/index.ts';
import { JobPage, ListAllJobs } from './contract.ts';
import { itemColumns, toItem } from './rows.ts';
import { jobs } from './schema.ts';

export const listAllJobs = query('admin.job.list', {
  summary: 'Jobs of all users, newest first',
  tag: 'Admin',
  http: 'GET /admin/jobs',
  roles: ['admin'],
  input: ListAllJobs,
  output: JobPage,
  async run({ db }, { status, type, user, limit = defaultPageSize, cursor }) {
    const after = readCursor(TimePosition, cursor);
    const isBehind =
      after && sql`(created_at, id) < (${new Date(after[0]).toISOString()}::timestamptz, ${after[1]}::uuid)`;
    const rows = await db
      .select(itemColumns)
      .from(jobs)
      .where(
        and(
          status && eq(jobs.status, status),
          type === undefined ? undefined : eq(jobs.type, type),
          user === undefined ? undefined : eq(jobs.userId, user),
          isBehind,
        ),
      )
      .orderBy(desc(jobs.createdAt), desc(jobs.id))
      .limit(limit + 1);
    return toPage(rows, limit, ({ createdAt, id }) => [createdAt.getTime(), id], toItem);
  },
});
