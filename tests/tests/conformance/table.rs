//! The table of requirements, by the sections of V1's document: each number, what it asks for in our own words, how it
//! is read here where C's form has no counterpart or where it speaks of means alone, and its tests. The tests are made
//! from this table, and so is `docs/conformance.md`.

/// A section of V1's document.
pub struct Section {
    pub title: &'static str,
    pub requirements: &'static [Requirement],
}

/// One requirement.
pub struct Requirement {
    /// What stands behind `SRS_OUTPROCESS_MODULE_`.
    pub number: &'static str,
    /// What it asks for.
    pub line: &'static str,
    /// How it is read here; empty where it is tested to the letter.
    pub reading: &'static str,
    pub tests: &'static [&'static str],
}

macro_rules! requirements {
    ($($title:literal {
        $($number:literal $line:literal $(read as $reading:literal)? => $($file:ident::$test:ident),+;)+
    })+) => {
        pub const SECTIONS: &[Section] = &[$(Section {
            title: $title,
            requirements: &[$(Requirement {
                number: $number,
                line: $line,
                reading: concat!($($reading)?),
                tests: &[$(stringify!($test)),+],
            }),+],
        }),+];

        mod tests {
            $($($(
                #[test]
                fn $test() {
                    crate::$file::$test();
                }
            )+)+)+
        }
    };
}

requirements! {
    "Configuration" {
        "17_001" "Without a configuration there is no module."
            read as "C's NULL is an empty file, and an entry without an entrypoint or with an empty one: refused, with its place."
            => configuration::srs_outprocess_module_17_001_no_configuration_is_no_module;
        "17_002" "A configuration is made of the text that was given."
            read as "The proof is at the far end: the host gets the arguments as they were written."
            => configuration::srs_outprocess_module_17_002_what_is_configured_reaches_the_host_as_it_stands;
        "17_003" "Giving back no configuration does nothing."
            read as "A configuration that could not be made: nothing was begun for any of its modules."
            => configuration::srs_outprocess_module_17_003_a_configuration_that_was_never_made_leaves_nothing_behind;
        "17_004" "A configuration is given back."
            read as "However often a module is made from it, no copy of it stays in memory."
            => configuration::srs_outprocess_module_17_004_a_configuration_is_held_once_however_often_it_is_used;
    }
    "Create" {
        "17_005" "Without a broker or a configuration no module is created."
            read as "An entry that lacks a part, and links to a module that is not there, stand for C's NULL."
            => create::srs_outprocess_module_17_005_a_module_that_lacks_a_part_is_not_created;
        "17_006" "Memory is allocated for the module."
            read as "What it is for: every module has a state of its own, and one does not notice another's."
            => create::srs_outprocess_module_17_006_every_module_has_a_state_of_its_own;
        "17_007" "A lock guards the module's data."
            read as "What it is for: many that use a module at once do not harm what it holds."
            => create::srs_outprocess_module_17_007_messages_stay_whole_when_many_modules_send_at_once;
        "17_041" "Each thread has a lock for its management."
            read as "What it is for: sending, receiving and control are on their own, and one that is held up leaves the others going."
            => create::srs_outprocess_module_17_041_each_activity_goes_on_while_another_is_held_up;
        "17_042" "A queue is made for messages to the host."
            => create::srs_outprocess_module_17_042_the_queue_is_there_before_the_module_is_started;
        "17_008" "The message channel is a pair socket."
            => channels::srs_outprocess_module_17_008_the_message_channel_is_a_pair_socket;
        "17_009" "It is connected to the address for messages."
            => channels::srs_outprocess_module_17_009_the_message_channel_is_connected_where_the_configuration_says;
        "17_010" "The control channel is a pair socket."
            => channels::srs_outprocess_module_17_010_the_control_channel_is_a_pair_socket_of_its_own;
        "17_011" "It is connected to the address for control."
            => channels::srs_outprocess_module_17_011_the_control_channel_is_connected_where_the_configuration_says;
        "17_012" "Create is put together from the configuration."
            => create::srs_outprocess_module_17_012_create_is_made_of_the_configuration;
        "17_013" "Create goes out on the control channel."
            => create::srs_outprocess_module_17_013_create_is_sent_on_the_control_channel_until_it_is_answered;
        "17_014" "The answer is waited for on the control channel."
            => create::srs_outprocess_module_17_014_nothing_but_a_reply_ends_the_wait_for_it;
        "17_015" "Only an answer of success means that the module exists."
            => create::srs_outprocess_module_17_015_status_0_alone_means_that_the_module_was_created;
        "17_016" "A creation that fails at any step gives everything back."
            read as "C's caller gets NULL; here the module is created again, and no descriptor of a failed try is left."
            => create::srs_outprocess_module_17_016_a_creation_that_fails_gives_everything_back;
    }
    "Start" {
        "17_020" "Starting no module does nothing."
            read as "C's NULL is a module whose host is not there: no Start before there is a module, and the others run."
            => start::srs_outprocess_module_17_020_a_module_that_is_not_there_is_not_started_and_holds_nobody_up;
        "17_017" "Starting is safe among threads."
            read as "Answers that come together start the module once."
            => start::srs_outprocess_module_17_017_start_is_sent_once_however_many_answers_come_together;
        "17_018" "A thread for receiving messages begins."
            read as "What it is for: the host's messages are received."
            => start::srs_outprocess_module_17_018_from_start_on_what_the_host_publishes_is_received;
        "17_043" "A thread for sending messages begins."
            read as "What it is for: messages are sent, also while receiving is held up."
            => start::srs_outprocess_module_17_043_from_start_on_messages_go_out_even_while_none_can_come_in;
        "17_044" "A thread for what the host says begins."
            read as "What it is for: the control channel is read beside the messages."
            => start::srs_outprocess_module_17_044_from_start_on_the_control_channel_is_read_beside_the_messages;
        "17_019" "Start goes out on the control channel."
            => start::srs_outprocess_module_17_019_start_goes_over_the_control_channel_behind_the_answer;
        "17_021" "What starting needed is given back."
            read as "Starts by the dozen leave no thread behind."
            => start::srs_outprocess_module_17_021_starting_again_and_again_leaves_no_threads_behind;
    }
    "Receive" {
        "17_022" "Without a module or a message nothing is done."
            read as "C's NULL is a frame that is no message; the smallest message is one."
            => receive::srs_outprocess_module_17_022_what_is_no_message_is_not_handed_over;
        "17_045" "The module's data is safe among threads."
            read as "Modules that send at the same time lose nothing, and each keeps its order."
            => receive::srs_outprocess_module_17_045_senders_at_the_same_time_lose_nothing_and_keep_their_order;
        "17_046" "A message is held until it has been forwarded."
            => receive::srs_outprocess_module_17_046_a_message_is_kept_until_it_is_forwarded_though_its_sender_is_gone;
        "17_047" "A message is put at the end of the queue."
            => receive::srs_outprocess_module_17_047_a_message_goes_to_the_end_of_the_queue_whoever_sends_it;
    }
    "Destroy" {
        "17_026" "Destroying no module does nothing."
            read as "C's NULL is a module whose host never came."
            => destroy::srs_outprocess_module_17_026_a_module_that_never_was_is_nothing_to_destroy;
        "17_027" "Destroying is safe among threads."
            read as "In the midst of traffic both ways there is one Destroy, and every message is accounted for."
            => destroy::srs_outprocess_module_17_027_a_stop_in_the_midst_of_traffic_destroys_once_and_loses_count_of_nothing;
        "17_028" "Destroy is put together."
            => destroy::srs_outprocess_module_17_028_destroy_is_made_of_a_header_alone;
        "17_029" "Destroy goes out on the control channel."
            => destroy::srs_outprocess_module_17_029_destroy_is_the_last_word_on_the_control_channel;
        "17_048" "Destroy is tried, not promised: the host may not be there any more."
            => destroy::srs_outprocess_module_17_048_a_host_that_is_dead_keeps_nobody_from_being_destroyed,
               destroy::srs_outprocess_module_17_048_a_host_that_hangs_keeps_nobody_from_being_destroyed,
               destroy::srs_outprocess_module_17_048_a_launched_host_that_heeds_nothing_is_ended_after_its_grace_period;
        "17_030" "The message channel is closed."
            => destroy::srs_outprocess_module_17_030_the_message_channel_is_closed_behind_the_last_message;
        "17_031" "The control channel is closed."
            => destroy::srs_outprocess_module_17_031_the_control_channel_is_closed_behind_destroy;
        "17_032" "The receiving thread is told to end."
            read as "Receiving ends, though the host goes on publishing."
            => destroy_threads::srs_outprocess_module_17_032_a_host_that_never_stops_publishing_does_not_hold_up_the_end;
        "17_049" "The sending thread is told to end."
            read as "Sending ends, though messages wait that nobody takes."
            => destroy_threads::srs_outprocess_module_17_049_messages_that_nobody_takes_do_not_hold_up_the_end;
        "17_050" "The control thread is told to end."
            read as "No answer has the module attached again."
            => destroy_threads::srs_outprocess_module_17_050_a_host_that_goes_on_answering_is_not_attached_again;
        "17_033" "The receiving thread is waited for."
            read as "What a host publishes on its way out arrives."
            => destroy_threads::srs_outprocess_module_17_033_what_the_host_publishes_at_the_end_is_received_to_the_last;
        "17_051" "The sending thread is waited for."
            read as "What waits for a host that reads is sent first."
            => destroy_threads::srs_outprocess_module_17_051_what_waits_for_the_host_is_sent_before_destroy;
        "17_052" "The control thread is waited for."
            read as "A launched host has its grace period, and is not ended by force within it."
            => destroy_threads::srs_outprocess_module_17_052_a_launched_host_has_its_grace_period_to_end_by_itself;
        "17_034" "Everything that the module made is given back."
            read as "No process and no socket is left, not even a socket that the host forgot."
            => destroy_threads::srs_outprocess_module_17_034_nothing_outlives_the_module;
    }
    "The receiving thread" {
        "17_036" "It is safe among threads."
            read as "Modules that publish to one sink at the same time are heard in full and in order."
            => receiving::srs_outprocess_module_17_036_modules_that_publish_at_the_same_time_reach_their_sink_in_order;
        "17_037" "It is given the module that it works for."
            read as "What a host sends is published as its own module's and no other's."
            => receiving::srs_outprocess_module_17_037_what_a_host_publishes_is_its_own_modules_whatever_it_says;
        "17_038" "It reads messages from the message channel."
            => receiving::srs_outprocess_module_17_038_the_message_channel_is_read_over_a_connection_that_comes_again;
        "17_039" "What was read is made a message."
            => receiving::srs_outprocess_module_17_039_what_is_received_has_the_properties_and_content_that_were_sent;
        "17_040" "Every message that could be made is published."
            => receiving::srs_outprocess_module_17_040_what_can_be_read_is_published_and_nothing_else;
    }
    "The sending thread" {
        "17_053" "The module's data is safe among threads."
            read as "Filling the queue and sending from it at the same time loses count of no message."
            => sending::srs_outprocess_module_17_053_what_is_sent_while_others_fill_the_queue_is_accounted_for;
        "17_054" "The oldest message is taken from the queue."
            => sending::srs_outprocess_module_17_054_the_oldest_message_is_sent_first;
        "17_023" "The message becomes bytes."
            => sending::srs_outprocess_module_17_023_a_message_is_sent_in_v1s_bytes;
        "17_024" "The bytes go out on the message channel."
            => sending::srs_outprocess_module_17_024_messages_of_every_size_that_v1_takes_are_sent_each_in_a_frame;
        "17_055" "A message that was sent is destroyed."
            read as "No later host gets it again."
            => sending::srs_outprocess_module_17_055_what_was_sent_is_not_sent_again;
        "17_025" "What sending needed is given back."
            read as "Memory does not grow with what was sent."
            => sending::srs_outprocess_module_17_025_what_was_sent_takes_up_no_memory;
    }
    "The control thread" {
        "17_056" "The module's data is safe among threads."
            read as "A module that comes and goes under load gets no message twice, and none behind a newer one."
            => control::srs_outprocess_module_17_056_an_attach_that_ends_under_load_mixes_up_no_messages;
        "17_057" "It looks again and again for what the host says."
            read as "Nothing else needs to happen for it, and a host that goes without a word is noticed too."
            => control::srs_outprocess_module_17_057_the_control_channel_is_looked_at_while_nothing_else_happens;
        "17_058" "Among what comes, it looks for a Reply."
            => control::srs_outprocess_module_17_058_only_a_reply_is_looked_for;
        "17_059" "A Reply of failure, or of a module that has ended, restarts the communication."
            => control::srs_outprocess_module_17_059_a_reply_that_is_no_success_has_both_channels_connected_anew;
        "17_060" "Then Create is sent as the first time."
            => control::srs_outprocess_module_17_060_the_module_is_created_again_as_it_was_the_first_time;
        "24_061" "Then, behind Create, Start is sent."
            => control::srs_outprocess_module_24_061_a_module_that_was_created_again_is_started_again;
    }
}
