// A user who creates jobs, and workers who claim and complete them on whichever instance they find. Workers lose answers, and
// leases with them: what they claimed goes to another one, and each job is completed once.

import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../src/db/database.ts';
import { type ClaimedJob, type Job, type JobEvent, userJobsTopic } from '../../src/modules/jobs/contract.ts';
import { applyUserJobs, type UserJobsState } from '../../src/modules/jobs/state.ts';
import { readUserJobs } from '../../src/modules/jobs/topics.ts';
import { type Answer, createApi, type TestUser } from '../support/api.ts';
import { insist } from './insist.ts';
import type { Outcome } from './load.ts';
import { readFrames } from './log.ts';
import { RoamingClient } from './roaming-client.ts';

export interface CrewOptions {
  readonly owner: TestUser;
  /** Has the role. */
  readonly worker: TestUser;
  readonly urls: readonly string[];
  readonly db: Db;
}

const replyPatienceMs = 3_000;
const pauseMs = 30;
const workers = 3;
const leaseSeconds = 5;
/** A lease, and a wait behind it, for a job whose worker heard nothing of its claim; and that again. */
const donePatienceMs = 40_000;

export class Crew {
  readonly #options: CrewOptions;
  readonly #client: RoamingClient;
  /** Of this load alone: those of the one before are done. */
  readonly #type = `chaos.${crypto.randomUUID().slice(0, 8)}`;
  readonly #created = new Set<string>();
  readonly #creating: Promise<void>;
  readonly #working: Promise<unknown>;
  #isStopping = false;
  #isDone = false;
  #isAbandoned = false;

  constructor(options: CrewOptions) {
    this.#options = options;
    const { owner, urls } = options;
    this.#client = new RoamingClient({ user: owner, urls, first: 2, commandTimeoutMs: replyPatienceMs });
    this.#creating = this.#create();
    this.#working = Promise.all(Array.from({ length: workers }, (_, first) => this.#work(first)));
  }

  get done(): number {
    return this.#created.size;
  }

  /** Resolves when all that was created is completed. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#creating;
    await this.#untilDone();
    this.#isDone = true;
    await this.#working;
  }

  abandon(): void {
    this.#isStopping = true;
    this.#isDone = true;
    this.#isAbandoned = true;
    this.#client.abandon();
  }

  /** Jobs that are not completed, or not as they should be, or whose events are not; the state by the events is that of the tables. */
  async compare(): Promise<Pick<Outcome, 'lost' | 'repeated' | 'invented'>> {
    const { db, owner } = this.#options;
    const rows = await this.#readJobs();
    const frames = await readFrames(db, userJobsTopic(owner.id));
    const own = new Set(rows.map(({ id }) => id));
    const said = (type: string): string[] =>
      frames.flatMap((frame) =>
        frame.type === type && own.has(frame.payload.jobId) ? [frame.payload.jobId] : [],
      );
    const [created, completed] = [said('job.created'), said('job.completed')];
    const empty: UserJobsState = { jobs: [], live: { progress: {} } };
    const { jobs } = frames.reduce(
      (state, { type, payload }) => applyUserJobs(state, { type, payload } as JobEvent), // the topic's contract
      empty,
    );
    const isLawful = Bun.deepEquals(jobs, (await readUserJobs(db, owner.id)).jobs);
    const isRight = ({ status, asked, answered }: Row) => status === 'completed' && asked === answered;
    return {
      lost: this.#created.size - rows.filter(isRight).length + (isLawful ? 0 : 1),
      repeated: created.length - new Set(created).size + completed.length - new Set(completed).size,
      invented: rows.filter(({ id }) => !this.#created.has(id)).length,
    };
  }

  async #create(): Promise<void> {
    for (let number = 0; !this.#isStopping; number += 1) {
      const asked = { type: this.#type, payload: { number }, maxAttempts: 20 };
      const job = await insist<Job>(this.#client, 'job.create', asked, () => this.#isAbandoned);
      if (job !== undefined) this.#created.add(job.id);
      await Bun.sleep(pauseMs);
    }
  }

  /** Claims on one instance, completes on the next one. What is not answered is left to the lease. */
  async #work(first: number): Promise<void> {
    const workerId = `worker ${first}`;
    for (let turn = first; !this.#isDone; turn += 1) {
      const asked = { types: [this.#type], workerId, max: 3, waitSeconds: 1, leaseSeconds };
      const claimed = await this.#post(turn, '/v1/jobs/claim', asked);
      const items: ClaimedJob[] = claimed?.status === 200 ? claimed.body.items : [];
      for (const { id, leaseId, payload } of items)
        await this.#post(turn + 1, `/v1/jobs/${id}/complete`, { leaseId, result: payload });
      if (claimed === undefined) await Bun.sleep(pauseMs);
    }
  }

  async #post(turn: number, path: string, body: object): Promise<Answer | undefined> {
    const { urls, worker } = this.#options;
    const late = Bun.sleep(replyPatienceMs).then(() => undefined);
    const answer = createApi(urls[turn % urls.length] ?? '')
      .request('POST', path, { token: worker.accessToken, body })
      .catch(() => undefined);
    return await Promise.race([answer, late]);
  }

  async #untilDone(): Promise<void> {
    const deadline = performance.now() + donePatienceMs;
    while (!this.#isAbandoned) {
      const open = (await this.#readJobs()).filter(({ status }) => status !== 'completed');
      if (open.length === 0) return;
      if (performance.now() > deadline)
        throw new Error(`${open.length} jobs are not done: ${JSON.stringify(open)}`);
      await Bun.sleep(100);
    }
  }

  #readJobs(): Promise<Row[]> {
    const { db } = this.#options;
    return queryRows<Row>(
      db,
      sql`SELECT id, status, payload->>'number' AS asked, result->>'number' AS answered FROM jobs WHERE type = ${this.#type}`,
    );
  }
}

interface Row {
  id: string;
  status: string;
  asked: string;
  answered: string | null;
}
