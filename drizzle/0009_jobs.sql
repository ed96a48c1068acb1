CREATE TABLE "jobs" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"seq" bigint NOT NULL,
	"type" text NOT NULL,
	"payload" jsonb NOT NULL,
	"priority" integer NOT NULL,
	"status" text NOT NULL,
	"progress" jsonb,
	"progress_at" timestamp with time zone,
	"result" jsonb,
	"error" text,
	"attempts" integer NOT NULL,
	"max_attempts" integer NOT NULL,
	"run_at" timestamp (3) with time zone NOT NULL,
	"lease_id" uuid,
	"lease_seconds" integer,
	"lease_until" timestamp (3) with time zone,
	"worker_id" text,
	"claimed_by" uuid,
	"created_at" timestamp (3) with time zone NOT NULL,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "jobs_user_seq" UNIQUE("user_id","seq")
);
--> statement-breakpoint
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "jobs_user_status" ON "jobs" USING btree ("user_id","status","seq");--> statement-breakpoint
CREATE INDEX "jobs_claim" ON "jobs" USING btree ("type","priority" DESC NULLS FIRST,"created_at","id","run_at") WHERE status = 'queued';--> statement-breakpoint
CREATE INDEX "jobs_lease" ON "jobs" USING btree ("lease_until") WHERE status = 'running';--> statement-breakpoint
CREATE INDEX "jobs_newest" ON "jobs" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "jobs_status" ON "jobs" USING btree ("status","created_at","id");--> statement-breakpoint
CREATE INDEX "jobs_type" ON "jobs" USING btree ("type","created_at","id");--> statement-breakpoint
CREATE INDEX "jobs_finished" ON "jobs" USING btree ("finished_at","id") WHERE finished_at IS NOT NULL;