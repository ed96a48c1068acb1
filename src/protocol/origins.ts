// Which web pages may use the server: one rule for the socket and for HTTP. [H6]

/** Without a list, pages of any origin may; with one, those that it names exactly. */
export function isAllowedOrigin(origin: string, allowedOrigins: readonly string[]): boolean {
  return allowedOrigins.length === 0 || allowedOrigins.includes(origin);
}
