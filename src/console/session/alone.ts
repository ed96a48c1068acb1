// One tab at a time. Web Locks exist in secure contexts only (https, localhost); elsewhere everyone goes ahead.

export function runAlone<Result>(run: () => Promise<Result>): Promise<Result> {
  const locks: LockManager | undefined = navigator.locks;
  return locks === undefined ? run() : locks.request('carillon.session', run);
}
