// A worker to look at: it counts slowly to what a job of the type `count` asks for, over the public HTTP API and nothing else.
// Its account must have the role worker: CARILLON_EMAIL and CARILLON_PASSWORD, at CARILLON_URL or http://localhost:3000. It ends
// with SIGINT or SIGTERM; what it is at then goes to another worker when the lease runs out.

const url = `${process.env.CARILLON_URL ?? 'http://localhost:3000'}/v1`;
const email = process.env.CARILLON_EMAIL ?? '';
const password = process.env.CARILLON_PASSWORD ?? '';
const workerId = `demo-${process.pid}`;
/** Between two numbers. */
const stepMs = 300;
/** A count without a number goes so far. */
const defaultEnd = 10;

let accessToken = '';

async function post(path: string, body: object): Promise<Response> {
  const ask = () =>
    fetch(url + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${accessToken}` },
      body: JSON.stringify(body),
    });
  const response = await ask();
  if (response.status !== 401) return response;
  // The first time, and whenever the token is over.
  const answer = await fetch(`${url}/auth/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ email, password }),
  });
  if (!answer.ok) throw new Error(`Logging in as "${email}" was answered ${answer.status}.`);
  accessToken = (await answer.json()).accessToken;
  return await ask();
}

/** Counts until it is done, or somebody else has the job. */
async function count(job: { id: string; leaseId: string; payload: unknown }): Promise<string> {
  const { id, leaseId, payload } = job;
  const asked = Number((payload as { to?: unknown } | null)?.to); // whatever the owner put there
  const end = Number.isInteger(asked) && asked > 0 ? asked : defaultEnd;
  for (let current = 1; current <= end; current += 1) {
    await Bun.sleep(stepMs);
    const message = `${current} of ${end}`;
    const { status } = await post(`/jobs/${id}/progress`, { leaseId, current, total: end, message });
    if (status === 409) return 'is not ours any more';
  }
  const { status } = await post(`/jobs/${id}/complete`, { leaseId, result: { counted: end } });
  return status === 200 ? `is done: ${end}` : `was answered ${status}`;
}

async function work(): Promise<never> {
  console.log(`${workerId} waits for jobs of the type "count" at ${url}`);
  for (;;) {
    const wanted = { types: ['count'], workerId, max: 1, waitSeconds: 30 };
    const response = await post('/jobs/claim', wanted).catch((error: Error) => {
      console.log(error.message);
      return undefined;
    });
    if (response?.ok !== true) {
      if (response !== undefined)
        console.log(`A claim was answered ${response.status}: ${await response.text()}`);
      if (response?.status === 403) process.exit(1); // the account is no worker's
      await Bun.sleep(1_000);
      continue;
    }
    const { items } = await response.json();
    for (const job of items)
      console.log(`${job.id} ${await count(job).catch((error: Error) => error.message)}`);
  }
}

if (import.meta.main) await work();
