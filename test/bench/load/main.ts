// The load generator: a process of its own, on a core of its own. Reads one job from standard input, does it, writes its
// figures as one line of JSON, and ends.

import { type CountedFigures, type CountedJob, runCounted } from './counted.ts';
import { type FanOutFigures, type FanOutJob, runFanOut } from './fan-out.ts';
import { type HttpFigures, type HttpJob, runHttp } from './http.ts';
import { type IdleFigures, type IdleJob, runIdle } from './idle.ts';
import { type JobsFigures, type JobsJob, runJobs } from './jobs.ts';
import { type ReplayFigures, type ReplayJob, runReplay } from './replay.ts';
import { type RequestsFigures, type RequestsJob, runRequests } from './requests.ts';
import { type ResumeFigures, type ResumeJob, runResume } from './resume.ts';

export type Job = FanOutJob | RequestsJob | IdleJob | ResumeJob | ReplayJob | HttpJob | JobsJob | CountedJob;

/** What each kind of job answers. */
export interface Figures {
  'fan-out': FanOutFigures;
  requests: RequestsFigures;
  idle: IdleFigures;
  resume: ResumeFigures;
  replay: ReplayFigures;
  http: HttpFigures;
  jobs: JobsFigures;
  counted: CountedFigures;
}

if (import.meta.main) {
  const job: Job = JSON.parse(await Bun.stdin.text());
  await Bun.write(Bun.stdout, `${JSON.stringify(await run(job))}\n`);
  process.exit(0); // the connections end with the process
}

function run(job: Job): Promise<Figures[Job['kind']]> {
  switch (job.kind) {
    case 'fan-out':
      return runFanOut(job);
    case 'requests':
      return runRequests(job);
    case 'idle':
      return runIdle(job);
    case 'resume':
      return runResume(job);
    case 'replay':
      return runReplay(job);
    case 'http':
      return runHttp(job);
    case 'jobs':
      return runJobs(job);
    case 'counted':
      return runCounted(job);
  }
}
