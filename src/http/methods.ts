// The methods that a path has, for requests that no route answers: a path that is known is told from one that is not. [X]

export interface RouteName {
  readonly method: string;
  /** As in `/v1/users/:id`. */
  readonly path: string;
}

/** None: there is no such path. */
export type MethodsOf = (path: string) => readonly string[];

/** `routes`: a function, because it is asked for them at the first question, when all of them are there. */
export function createMethodsOf(routes: () => readonly RouteName[]): MethodsOf {
  let known: { readonly pattern: RegExp; readonly methods: readonly string[] }[] | undefined;
  return (path) => {
    known ??= [...Map.groupBy(routes(), (route) => route.path)].map(([name, ofName]) => ({
      pattern: toPattern(name),
      methods: ofName.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])),
    }));
    // `/users/me` is `/users/:id` as well, and has the methods of both.
    const found = known.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods);
    return found.length === 0 ? [] : [...new Set([...found, 'OPTIONS'])].sort();
  };
}

/** A slash at the end makes no difference, as in Elysia's router. */
function toPattern(path: string): RegExp {
  const words = path.replace(/\/$/, '').split('/');
  const patterns = words.map((word) => (word.startsWith(':') ? '[^/]+' : RegExp.escape(word)));
  return new RegExp(`^${patterns.join('/')}/?$`);
}
