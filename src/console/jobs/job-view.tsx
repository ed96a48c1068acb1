// One job: what was asked for, how far it is, what came of it, and what its owner may do.

import type { ReactNode } from 'react';
import { useCommand, useTopic } from '../../client/react/index.ts';
import type { JobRecord, Progress } from '../../modules/jobs/contract.ts';
import { Empty, Loading } from '../parts/empty.tsx';
import { DetailPane, PaneBody } from '../parts/pane.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { Time } from '../parts/time.tsx';
import { useAction } from '../parts/use-action.ts';
import { linkTo } from '../route.ts';
import { WorkerHint } from './worker-hint.tsx';

export function JobView({ jobId }: { jobId: string }) {
  const { state, error } = useTopic(`job:${jobId}`);
  const send = useCommand();
  const change = useAction((name: 'job.cancel' | 'job.retry') => send(name, { jobId }));
  const back = linkTo('jobs');
  if (state === undefined) {
    return (
      <DetailPane title="Job" back={back}>
        {error === undefined ? (
          <Loading what="the job" />
        ) : (
          <Empty icon="jobs" title="This job is not yours, or is gone">
            <Refusal error={error} />
          </Empty>
        )}
      </DetailPane>
    );
  }
  const { job, live } = state;
  const isOver = job.status !== 'queued' && job.status !== 'running';
  return (
    <DetailPane
      title={job.type}
      subtitle={
        <>
          asked for <Time at={job.createdAt} />
        </>
      }
      back={back}
      actions={
        <>
          {!isOver && (
            <button type="button" disabled={change.isBusy} onClick={() => void change.run('job.cancel')}>
              Cancel
            </button>
          )}
          {(job.status === 'failed' || job.status === 'cancelled') && (
            <button type="button" disabled={change.isBusy} onClick={() => void change.run('job.retry')}>
              Try again
            </button>
          )}
        </>
      }
    >
      <PaneBody isNarrow>
        <Refusal error={change.error} />
        <div className="card" aria-live="polite">
          <p className="offer-head">
            <span className={`tag ${job.status}`}>{job.status}</span>
            <span className="subtitle">
              attempt {job.attempts} of {job.maxAttempts}
              {job.workerId !== null && `, by ${job.workerId}`}
            </span>
          </p>
          {(job.status === 'running' || job.status === 'completed') && (
            <Bar progress={live.progress} isDone={job.status === 'completed'} />
          )}
          {job.error !== null && <p className="refusal">{job.error}</p>}
        </div>
        {job.status === 'queued' && <WorkerHint type={job.type} runAt={job.runAt} />}
        {job.status === 'completed' && <Part title="Result">{toText(job.result)}</Part>}
        <Part title="Payload">{toText(job.payload)}</Part>
      </PaneBody>
    </DetailPane>
  );
}

function Bar({ progress, isDone }: { progress: Progress | null; isDone: boolean }) {
  if (progress === null && !isDone) return <progress aria-label="Progress" />;
  const percentage = isDone ? 100 : (progress?.percentage ?? 0);
  return (
    <>
      <progress aria-label="Progress" max={100} value={percentage} />
      <p className="subtitle">
        {percentage} %
        {progress !== null && ` (${progress.current} of ${progress.total}) ${progress.message ?? ''}`}
      </p>
    </>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="part">
      <h3>{title}</h3>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it may scroll, and a keyboard has to reach it for that */}
      <pre tabIndex={0}>{children}</pre>
    </section>
  );
}

const toText = (value: JobRecord['result']): string => JSON.stringify(value, null, 2) ?? 'null';
