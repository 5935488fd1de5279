//! The service over real engines: each scenario runs on SQLite in memory and on PostgreSQL.

mod amend;
mod deleted;
mod house;
mod http;
mod log_rules;
mod many_members;
mod mentions;
mod missed;
mod recent;
mod rooms;
mod scripts;
mod search;
mod search_filters;
mod sends;
mod several;
mod state;
mod threads;
mod together;
mod trips;
mod unknown;
mod writer;

use house::House;

/// A test for each scenario on SQLite, and one that runs them all on PostgreSQL (one server, a database each).
macro_rules! scenarios {
    ($($module:ident :: $name:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                $module::$name(House::on_sqlite().await).await;
            }
        )*

        #[tokio::test]
        async fn everything_holds_on_postgres_too() {
            let server = house::postgres::Server::start();
            $(
                println!("{}", stringify!($name));
                $module::$name(House::on_postgres(&server.url(), stringify!($name)).await).await;
            )*
        }
    };
}

scenarios![
    http::a_query_that_is_refused_costs_one_read,
    http::who_shows_no_token_is_told_so_first,
    sends::seqs_count_from_one_in_every_room,
    sends::a_nonce_returns_the_first_message,
    sends::concurrent_sends_with_one_nonce_are_one_message,
    sends::a_refusal_fails_no_neighbour,
    sends::too_many_sends_are_refused_but_a_repeated_one_is_found,
    sends::a_body_has_a_longest_length,
    rooms::a_pair_has_one_direct_room,
    rooms::a_room_nonce_returns_the_first_room,
    rooms::a_nonce_tells_nothing_of_a_room_that_was_left,
    rooms::who_leaves_is_told_what_the_room_was_then,
    rooms::members_come_and_go,
    rooms::a_gateway_asks_how_one_stands_in_a_room,
    rooms::the_longest_standing_member_inherits,
    rooms::everybody_sees_the_room_with_their_own_marks,
    rooms::lists_are_paged,
    rooms::a_place_in_a_list_may_be_in_upper_case,
    rooms::a_name_from_before_its_rules_is_told_as_it_is,
    many_members::a_hundred_join_in_one_transaction,
    many_members::many_at_once_are_all_or_none,
    many_members::many_at_once_race_with_leaves,
    amend::an_edit_is_told_and_kept,
    amend::an_edit_that_cannot_be_made_is_refused,
    amend::two_edits_of_one_rev_have_one_winner,
    amend::reactions_are_counted_and_told,
    amend::the_same_reaction_many_times_at_once_is_one,
    amend::a_reaction_that_cannot_be_given_is_refused,
    amend::pins_are_listed_and_bounded,
    amend::a_reply_shows_what_it_answers,
    amend::what_a_message_carries_is_kept,
    amend::a_room_has_a_topic_and_metadata,
    amend::events_of_a_room_are_paged_as_they_are_now,
    amend::a_page_around_a_message,
    amend::changes_do_not_move_a_room,
    amend::races_end_the_same_for_everybody,
    amend::a_send_and_its_change_in_one_batch,
    amend::random_changes_are_sound,
    amend::the_check_finds_what_is_broken,
    threads::a_thread_stands_beside_the_room,
    threads::a_thread_is_of_a_message_in_no_thread,
    threads::who_is_in_a_thread_follows_it,
    threads::threads_are_listed_by_their_newest_message,
    threads::threads_of_several_rooms_come_together,
    threads::messages_of_several_threads_come_together,
    threads::deletions_leave_a_thread_in_order,
    threads::members_are_told_of_threads,
    threads::random_threads_are_sound,
    threads::a_page_walks_past_a_long_thread,
    threads::the_check_finds_broken_threads,
    mentions::a_mention_counts_until_it_is_read,
    mentions::who_is_mentioned_is_a_member,
    mentions::edits_and_deletions_move_mentions,
    mentions::a_mention_in_a_thread_counts_until_the_thread_is_read,
    mentions::only_an_owner_mentions_everybody_in_a_large_room,
    mentions::mentions_of_everybody_are_found_in_all_rooms,
    mentions::a_search_finds_what_mentions_one_and_what_is_in_a_thread,
    mentions::a_message_with_mentions_keeps_its_place,
    mentions::a_repeated_send_is_found_although_who_is_mentioned_has_left,
    mentions::the_check_finds_broken_mentions,
    together::many_reactions_at_once_are_told_in_one_row,
    together::the_last_change_is_always_told,
    together::a_crash_between_two_tellings_loses_none,
    together::a_room_of_a_thousand_tells_each,
    together::a_deletion_is_told_in_place_of_what_waits,
    together::two_servers_tell_it_once,
    together::random_changes_of_a_large_room_are_sound,
    together::the_check_finds_what_is_told_by_nothing,
    deleted::a_deletion_leaves_a_tombstone,
    deleted::whoever_may_not_delete_is_refused,
    deleted::several_at_once_are_all_or_none,
    deleted::a_deleted_message_is_not_unread,
    deleted::a_late_retry_answers_the_tombstone,
    deleted::a_search_finds_the_present_text,
    deleted::an_edit_takes_nothing_else_out_of_the_index,
    deleted::a_message_without_a_text_leaves_the_index,
    deleted::a_quote_of_what_is_deleted_is_told_no_more,
    deleted::nothing_is_left_in_the_database,
    state::values_are_kept_and_paged,
    state::a_value_is_changed_only_by_who_has_seen_it,
    state::a_user_has_a_number_of_keys,
    state::a_send_takes_its_draft_away,
    state::one_of_many_changes_at_once_wins,
    state::sends_and_changes_of_the_same_keys_wait_for_each_other,
    state::changes_are_counted_and_found,
    state::what_has_changed_since_a_cursor_is_told,
    state::own_read_marks_are_told_since_a_cursor,
    state::own_marks_in_threads_are_told_since_a_cursor,
    state::more_than_is_told_is_a_reset,
    state::what_was_removed_long_ago_is_forgotten,
    state::the_check_finds_what_is_broken_in_it,
    state::members_see_how_far_others_have_read,
    recent::they_are_those_of_others,
    recent::they_are_the_newest_of_all_rooms,
    recent::a_call_looks_at_no_more_than_it_pays_for,
    several::they_are_seen_as_one_by_one,
    several::stretches_are_what_history_tells,
    several::pins_are_what_each_room_tells,
    several::they_cost_a_fixed_number_of_statements,
    several::long_messages_end_a_stretch_early,
    several::long_messages_end_a_page_of_pins_early,
    several::long_messages_end_a_page_of_the_log_early,
    search::words_prefixes_and_phrases_are_found,
    search::characters_of_chinese_are_found_within,
    search::only_rooms_that_one_is_in_are_searched,
    search::pages_leave_no_gap,
    search::what_is_no_place_is_refused,
    search::what_is_acknowledged_is_found_however_much_is_indexed,
    search::the_index_and_the_log_find_the_same,
    search::whoever_is_in_many_rooms_finds_the_same,
    search::no_text_breaks_the_query,
    search::what_is_nearly_the_query_ends_a_page_early_and_is_paid_for,
    search::what_was_there_before_is_indexed,
    search::an_index_by_older_rules_is_made_anew,
    search_filters::a_sender_has_two_names_and_needs_no_words,
    search_filters::without_words_the_present_messages_are_listed,
    search_filters::pinned_messages_are_found_in_the_order_of_messages,
    search_filters::a_sender_is_paged_without_a_gap,
    search_filters::a_filter_without_words_looks_at_little,
    search_filters::more_pins_than_are_looked_up_are_found,
    scripts::every_script_finds_its_own_words,
    scripts::each_fault_of_a_report_is_mended,
    missed::a_replay_holds_what_was_missed_and_nothing_else,
    missed::a_page_of_large_messages_is_short,
    missed::a_cursor_that_cannot_be_taken_up_is_said,
    missed::a_replay_comes_in_the_order_of_commits,
    missed::a_replay_ends_where_it_is_told_to,
    missed::a_page_costs_what_it_holds,
    missed::random_histories_are_replayed_exactly,
    missed::times_that_fall_lose_and_double_nothing,
    missed::who_has_left_hears_nothing_from_after_the_leaving,
    missed::who_is_back_hears_the_present,
    missed::a_gateway_reads_what_hints_have_told,
    log_rules::hints_follow_the_log_without_a_gap,
    log_rules::check_passes_and_finds_what_is_broken,
    log_rules::history_pages_both_ways,
    unknown::rows_of_a_newer_program_pass_on_every_path,
    unknown::a_hint_with_a_row_of_a_newer_program_keeps_its_places,
    unknown::a_new_kind_is_written_once_the_upgrade_is_finished,
    writer::what_cannot_be_written_takes_no_neighbour_with_it,
    writer::a_panic_takes_no_neighbour_with_it,
    writer::neighbours_are_committed_together_all_the_same,
    writer::long_texts_end_a_batch_early,
    writer::what_is_tried_again_takes_one_token,
    writer::a_room_that_another_server_created_takes_no_token,
    writer::two_servers_write_one_log,
    writer::two_servers_create_a_room_once,
    trips::a_batch_costs_a_fixed_number_of_ways_to_the_database,
    trips::marks_in_threads_are_written_together,
    trips::two_servers_create_rooms_with_crossing_nonces_and_pairs,
    trips::reads_cost_a_fixed_number_of_ways_to_the_database,
    writer::a_log_that_became_shorter_is_gone_on_with,
];
