// Waits for what can only be looked at, not awaited.

/** Resolves as soon as the condition holds; fails after `timeoutMs`, naming what was waited for. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`${what}: not so within ${timeoutMs} ms.`);
    await Bun.sleep(10);
  }
}
