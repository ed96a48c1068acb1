// A key for one intent [K1]. `crypto.randomUUID` exists in secure contexts only, and the console runs on plain HTTP, too.

export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
