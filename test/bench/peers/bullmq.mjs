// BullMQ on Node and Redis: a queue, and workers that have one connection each.

import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { crew, startProducers } from './crew.mjs';

const connect = () => new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null });
const queue = new Queue('bench', { connection: connect() });
await queue.waitUntilReady();
const { completed, fail } = startProducers((payload) => queue.add('job', payload));
queue.on('error', fail);

for (let one = 0; one < crew.workers; one += 1) {
  const worker = new Worker('bench', async () => ({ done: true }), {
    connection: connect(),
    concurrency: crew.inFlight,
  });
  worker.on('completed', ({ data }) => completed(data));
  worker.on('failed', (_, error) => fail(error));
  worker.on('error', fail);
}
