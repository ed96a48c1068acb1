ALTER TABLE "user_sessions" ADD COLUMN "generation" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "user_sessions" ADD COLUMN "rotated_at" timestamp (3) with time zone[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "user_sessions" ADD COLUMN "network" text;--> statement-breakpoint
ALTER TABLE "user_sessions" ADD COLUMN "end_reason" text;--> statement-breakpoint
CREATE INDEX "user_sessions_network" ON "user_sessions" USING btree ("user_id","network");--> statement-breakpoint
ALTER TABLE "user_sessions" DROP COLUMN "token_hash";