CREATE TABLE "clockwork_failures" (
	"kind" text NOT NULL,
	"item_id" text NOT NULL,
	"attempts" integer NOT NULL,
	"retry_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "clockwork_failures_kind_item_id_pk" PRIMARY KEY("kind","item_id")
);
--> statement-breakpoint
CREATE INDEX "clockwork_failures_retry_at" ON "clockwork_failures" USING btree ("kind","retry_at");