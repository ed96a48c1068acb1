// The floors of the house: which file may import which. A pure function over a list of files, so that a test can plant
// a violation and see it found.

import { dirname, join } from 'node:path';

/** Paths below `src/`, with `/`, and the text of each file. */
export type Sources = ReadonlyMap<string, string>;

const floors: Record<string, number> = {
  'config.ts': 0, // anyone may read a type from it
  'files.ts': 0,
  protocol: 0,
  telemetry: 0,
  db: 1,
  mail: 1,
  redis: 1,
  realtime: 2,
  auth: 3,
  modules: 4,
  http: 5,
  'server.ts': 6,
  build: 7,
  commands: 7,
  'main.ts': 8,
};

/** What runs in a browser too: the protocol, and what a module says about itself. */
const browserSafe =
  /^(?:protocol\/.+|auth\/contract|modules\/[^/]+\/(?:bounds|contract|face|state|rules|currencies|catalogue))\.ts$/;
const browserSafePackages = /^@sinclair\/typebox(?:\/|$)/;

/** The one module that stands on another: offers are made in a chat. */
const allowedNeighbours = new Set(['modules/offers modules/chat']);

/** The version stands there. */
const manifest = '../package.json';

/** Who sees no more of the core than its face. */
const knowsFaceOnly = /^(?:auth|modules)\//;

/** One sentence for each import that runs up a floor or over to a neighbour; none when the house is in order. */
export function findViolations(sources: Sources): string[] {
  return [...sources].flatMap(([path, source]) =>
    listImports(source).flatMap((specifier) => {
      const problem = judge(path, specifier);
      return problem === undefined ? [] : [`${path} imports ${specifier}: ${problem}`];
    }),
  );
}

/** Every specifier in the text, those of types too; `(computed)` for an import whose target only running it would tell. */
export function listImports(source: string): string[] {
  const patterns = [
    /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\b(?:import|require)\(\s*['"]([^'"]+)['"]/g,
  ];
  const named = patterns.flatMap((pattern) => [...source.matchAll(pattern)].map((match) => match[1] ?? ''));
  const computed = [...source.matchAll(/\bimport\(\s*[^'"\s]/g)].map(() => '(computed)');
  return [...named, ...computed];
}

function judge(path: string, specifier: string): string | undefined {
  if (specifier === '(computed)') return 'nobody can tell from which floor';
  const target = specifier.startsWith('.') ? join(dirname(path), specifier) : undefined;
  if (path.startsWith('client/')) return judgeClient(path, target, specifier);
  if (path.startsWith('console/')) return judgeConsole(target, specifier);
  if (browserSafe.test(path)) {
    const isSafe = target === undefined ? browserSafePackages.test(specifier) : browserSafe.test(target);
    if (!isSafe) return 'a browser could not load it';
  }
  if (target === undefined || target === manifest) return undefined;
  const [own, other] = [floorOf(path), floorOf(target)];
  if (own === undefined) return `${path} stands on no floor`;
  if (other === undefined) return 'it stands on no floor';
  if (other > own) return `up from floor ${own} to floor ${other}`;
  if (knowsFaceOnly.test(path) && target.startsWith('realtime/') && target !== 'realtime/index.ts') {
    return 'all that there is of the core for it is in realtime/index.ts';
  }
  return judgeNeighbour(path, target);
}

/** It runs in a browser: with the protocol, and with what the modules say about themselves. */
function judgeClient(path: string, target: string | undefined, specifier: string): string | undefined {
  if (target === undefined) {
    if (specifier === 'react' && path.startsWith('client/react/')) return undefined;
    const isRuntime = specifier === 'bun' || specifier.startsWith('node:');
    return isRuntime || browserSafePackages.test(specifier) ? undefined : 'the client has no dependencies';
  }
  return target.startsWith('client/') || browserSafe.test(target)
    ? undefined
    : 'the client may know the protocol, contracts and states only';
}

/** A page in a browser: it stands on the client, and on what that may know. */
function judgeConsole(target: string | undefined, specifier: string): string | undefined {
  if (target === undefined) {
    const isReact = /^react(?:-dom)?(?:\/|$)/.test(specifier);
    return isReact || browserSafePackages.test(specifier)
      ? undefined
      : 'the console has React, and nothing else';
  }
  return /^(?:client|console)\//.test(target) || browserSafe.test(target)
    ? undefined
    : 'the console may know the client, the protocol, contracts and states only';
}

/** A module knows no other, and from outside there is nothing of it but its face. */
function judgeNeighbour(path: string, target: string): string | undefined {
  const own = moduleOf(path);
  const other = moduleOf(target);
  if (other === undefined || own === other) return undefined;
  if (own !== undefined && !allowedNeighbours.has(`${own} ${other}`))
    return 'a module does not import another';
  return target === `${other}/index.ts`
    ? undefined
    : `all that there is of ${other} for others is in its index.ts`;
}

const moduleOf = (path: string): string | undefined => /^modules\/[^/]+(?=\/)/.exec(path)?.[0];

const floorOf = (path: string): number | undefined => floors[path.split('/')[0] ?? ''];
