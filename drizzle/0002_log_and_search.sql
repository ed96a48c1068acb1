-- The parts of a name that the index of names knows: every one to three characters in a row. The cost says what matters: to
-- read a table by it is dearer than to ask the index.
CREATE FUNCTION "name_parts"("name" text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT COST 100
RETURN ARRAY(
	SELECT DISTINCT substr("name", "start", "size")
	FROM generate_series(1, 3) AS "size", generate_series(1, length("name") - "size" + 1) AS "start"
);--> statement-breakpoint
CREATE TABLE "forgotten_topics" (
	"bucket" integer PRIMARY KEY NOT NULL,
	"head" bigint NOT NULL
);
--> statement-breakpoint
ALTER TABLE "event_log" ADD COLUMN "log_id" uuid DEFAULT gen_random_uuid() NOT NULL;--> statement-breakpoint
ALTER TABLE "event_log" ADD COLUMN "history" text;--> statement-breakpoint
ALTER TABLE "topics" ADD COLUMN "base" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "topics" ADD COLUMN "idle_since" timestamp (3) with time zone;--> statement-breakpoint
CREATE INDEX "users_name_parts" ON "users" USING gin (name_parts("folded_name")) WITH (fastupdate=false);