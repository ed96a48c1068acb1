// Preloaded into openapi-typescript, which writes types with the compiler's API of old: TypeScript 7 has none
// (openapi-ts/openapi-typescript#2841), version 6 has it beside.

import { plugin } from 'bun';

plugin({
  name: 'the compiler with an API',
  setup(build) {
    build.module('typescript', async () => {
      const { default: typescript } = await import('@typescript/typescript6');
      return { exports: { ...typescript, default: typescript }, loader: 'object' };
    });
  },
});
