// An instance that says which of OpenTelemetry's packages it has loaded.

await import('../../src/main.ts');
const isLoaded = Object.keys(require.cache).some((path) => path.includes('/@opentelemetry/'));
process.stdout.write(`loaded: ${isLoaded ? 'opentelemetry' : 'nothing'}\n`);

export {};
