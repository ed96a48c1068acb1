CREATE TABLE "forgotten_topics" (
	"bucket" integer PRIMARY KEY NOT NULL,
	"head" bigint NOT NULL
);
--> statement-breakpoint
ALTER TABLE "topics" ADD COLUMN "base" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "topics" ADD COLUMN "idle_since" timestamp (3) with time zone;