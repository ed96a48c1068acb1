// What a failed Redis command means: the driver's messages and the server's words are known here and nowhere else.

/** The driver's, where it gives no code. */
const awayMessages =
  /^(?:Connection is closed|Command timed out|Socket timeout|Stream isn't writeable|Cluster (?:isn't ready|is disconnect)|None of startup nodes|Node is disconnected|Too many Cluster redirections|Failed to refresh slots cache)/;
/** Begin what a server answers that is loading, failing over, or out of room. https://redis.io/docs/latest/develop/reference/protocol-spec/ */
const awayAnswers =
  /^(?:LOADING|CLUSTERDOWN|MASTERDOWN|READONLY|TRYAGAIN|MOVED|ASK|BUSY|OOM|MISCONF|NOREPLICAS)\b/;
const awayNames = /^(?:MaxRetriesPerRequestError|ClusterAllFailedError)$/;

/** Redis is away, or cannot do it right now; the same command may succeed soon. */
export function isRedisAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { name, message } = error;
  return (
    awayNames.test(name) || awayMessages.test(message) || (name === 'ReplyError' && awayAnswers.test(message))
  );
}
