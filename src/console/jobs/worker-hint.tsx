// What helps where nobody takes a job: how to start a worker.

import { useNow } from '../parts/use-now.ts';

const patienceMs = 2_000;

export function WorkerHint({ type, runAt }: { type: string; runAt: string }) {
  const now = useNow(500);
  const waitsMs = now - Date.parse(runAt);
  if (waitsMs < 0)
    return <p className="hint">It is not to begin before {new Date(runAt).toLocaleString()}.</p>;
  if (waitsMs < patienceMs) return <p className="hint">It waits for a worker.</p>;
  return (
    <section className="card" aria-labelledby="worker-hint">
      <h3 id="worker-hint">Nobody takes it yet</h3>
      <p>
        A worker that claims jobs of the type <code>{type}</code> has to run.
        {type === 'count' ? ' The demo worker does:' : ' The demo worker claims those of the type count:'}
      </p>
      <pre>{`CARILLON_URL=${location.origin} CARILLON_EMAIL=… CARILLON_PASSWORD=… bun src/modules/jobs/demo-worker.ts`}</pre>
      <p className="hint">
        Its account needs the role worker, which an admin gives. Who is an admin says ADMIN_EMAILS of the
        server; src/modules/jobs/README.md shows it from the beginning.
      </p>
    </section>
  );
}
