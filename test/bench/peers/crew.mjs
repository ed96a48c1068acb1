// Producers as the load generator has them for Carillon, in the peer's own process: each adds the next job when one of its
// own is completed. CREW says how many there are. Port `/` answers how many jobs were completed, or what went wrong.

import { createServer } from 'node:http';

export const crew = JSON.parse(process.env.CREW);

/** `add` puts one payload into the queue. Answers what is to be called with the payload of each completed job. */
export function startProducers(add) {
  let completed = 0;
  let problem;
  const free = new Array(crew.producers).fill(crew.unfinished);
  const waiting = free.map(() => []);
  const produce = async (producer) => {
    for (;;) {
      if (free[producer] > 0) free[producer] -= 1;
      else await new Promise((resolve) => waiting[producer].push(resolve));
      await add({ producer, message: crew.message });
    }
  };
  const fail = (error) => {
    problem ??= error;
  };
  for (let producer = 0; producer < crew.producers; producer += 1) {
    for (let one = 0; one < crew.inFlight; one += 1) produce(producer).catch(fail);
  }
  const server = createServer((_, response) => {
    response.statusCode = problem === undefined ? 200 : 500;
    response.end(problem === undefined ? `${completed}` : `${problem?.stack ?? problem}`);
  });
  server.listen(0, '127.0.0.1', () =>
    console.log(JSON.stringify({ ready: true, port: server.address().port })),
  );
  return {
    fail,
    completed({ producer }) {
      completed += 1;
      const next = waiting[producer].shift();
      if (next === undefined) free[producer] += 1;
      else next();
    },
  };
}
