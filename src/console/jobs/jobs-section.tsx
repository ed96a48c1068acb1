// Jobs: one's newest, as they are right now, and the one that is open.

import { useState } from 'react';
import { useTopic } from '../../client/react/index.ts';
import { Empty, Loading } from '../parts/empty.tsx';
import { Icon } from '../parts/icon.tsx';
import { ListPane } from '../parts/pane.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { goTo, useRoute } from '../route.ts';
import { useMe } from '../session/use-session.tsx';
import { JobItem } from './job-item.tsx';
import { JobView } from './job-view.tsx';
import { NewJob } from './new-job.tsx';

export function JobsSection() {
  const [, jobId] = useRoute();
  const [isNew, setNew] = useState(false);
  return (
    <>
      <ListPane
        title="Jobs"
        actions={
          <button type="button" className="primary" onClick={() => setNew(true)}>
            <Icon name="plus" /> New job
          </button>
        }
      >
        <JobItems openId={jobId} />
      </ListPane>
      {jobId === undefined ? (
        <section className="pane detail-pane">
          <Empty icon="jobs" title="No job is open">
            <p>Choose one from the list to see how far it is, or ask for a new one.</p>
          </Empty>
        </section>
      ) : (
        <JobView key={jobId} jobId={jobId} />
      )}
      {isNew && (
        <NewJob
          onClose={() => setNew(false)}
          onMade={(id) => {
            setNew(false);
            goTo('jobs', id);
          }}
        />
      )}
    </>
  );
}

function JobItems({ openId }: { openId: string | undefined }) {
  const me = useMe();
  const { state, error } = useTopic(`user:${me.id}:jobs`);
  if (error !== undefined) return <Refusal error={error} />;
  if (state === undefined) return <Loading what="jobs" />;
  if (state.jobs.length === 0) {
    return (
      <Empty icon="jobs" title="No jobs yet">
        <p>A job is work that a worker does, in any language. Ask for one with “New job”.</p>
      </Empty>
    );
  }
  return (
    <ul className="items">
      {state.jobs.map((job) => (
        <li key={job.id}>
          <JobItem job={job} progress={state.live.progress[job.id]} isOpen={job.id === openId} />
        </li>
      ))}
    </ul>
  );
}
