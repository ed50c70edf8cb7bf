"""All functions, aggregates and plugins of Kusto, by family, to tell an unsupported name from a misspelled one.

Source: the tables of Microsoft's binder. Names that it hides are included if hunts use them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Family:
    """Functions of one family. `refused` says why missing ones are not supported."""

    title: str
    refused: str
    text: str

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(self.text.split())


FUNCTIONS = (
    Family(
        "text",
        "not implemented yet",
        """
        format_bytes has_any_index indexof replace_string replace_strings reverse split strcat strcat_delim strcmp
        string_size strlen strrep substring tolower toupper translate
        """,
    ),
    Family(
        "regular expressions",
        "not implemented yet",
        """
        countof extract extract_all indexof_regex regex_quote replace replace_regex trim trim_end trim_start
        """,
    ),
    Family(
        "parsing text",
        "it needs a library of Microsoft, or decimals of more digits than Spark has; use extract(...)",
        """
        extract_json extractjson parse_command_line parse_csv parse_json parse_path parse_url parse_urlquery
        parse_user_agent parse_version parse_xml
        """,
    ),
    Family(
        "encodings and hashes",
        "how Kusto combines hashes is not published",
        """
        base64_decode_toarray base64_decode_toguid base64_decode_tostring base64_encode_fromarray base64_encode_fromguid
        base64_encode_tostring hash hash_combine hash_many hash_md5 hash_sha1 hash_sha256 hash_xxhash64 make_string
        unicode_codepoints_from_string unicode_codepoints_to_string url_decode url_encode url_encode_component
        """,
    ),
    Family(
        "compression",
        "how Kusto compresses is not published",
        """
        gzip_compress_to_base64_string gzip_decompress_from_base64_string zlib_compress_to_base64_string
        zlib_decompress_from_base64_string
        """,
    ),
    Family(
        "internationalised names",
        "not implemented yet",
        "punycode_domain_from_string punycode_domain_to_string punycode_from_string punycode_to_string",
    ),
    Family(
        "conversions",
        "not implemented yet",
        """
        gettype tobool toboolean todatetime todecimal todouble todynamic toguid tohex toint tolong toreal tostring
        totimespan
        """,
    ),
    Family(
        "dates and times",
        "not implemented yet",
        """
        ago datetime_add datetime_diff datetime_list_timezones datetime_local_to_utc datetime_part datetime_utc_to_local
        dayofmonth dayofweek dayofyear endofday endofmonth endofweek endofyear format_datetime format_timespan getmonth
        getyear hourofday make_datetime make_timespan monthofyear now startofday startofmonth startofweek startofyear
        unixtime_microseconds_todatetime unixtime_milliseconds_todatetime unixtime_nanoseconds_todatetime
        unixtime_seconds_todatetime week_of_year
        """,
    ),
    Family(
        "numbers",
        "not implemented yet",
        """
        abs acos around asin atan atan2 bin bin_at bin_auto binary_and binary_not binary_or binary_shift_left
        binary_shift_right binary_xor bitset_count_ones ceiling cos cot degrees exp exp10 exp2 floor isfinite isinf
        isnan log log10 log2 max_of min_of pi pow radians round sign sin sqrt tan
        """,
    ),
    Family(
        "special functions",
        "not implemented yet",
        "beta_cdf beta_inv beta_pdf erf erfc gamma loggamma welch_test",
    ),
    Family(
        "random values",
        "not implemented yet",
        "new_guid rand",
    ),
    Family(
        "units",
        "Kusto's precision is not known",
        """
        convert_angle convert_energy convert_force convert_length convert_mass convert_speed convert_temperature
        convert_volume
        """,
    ),
    Family(
        "conditions",
        "not implemented yet",
        """
        assert case coalesce column_ifexists iff iif isascii isempty isnotempty isnotnull isnull isutf8 not notempty
        """,
    ),
    Family(
        "arrays",
        "not implemented yet",
        """
        array_concat array_iff array_index_of array_length array_reverse array_rotate_left array_rotate_right
        array_shift_left array_shift_right array_slice array_sort_asc array_sort_desc array_split array_strcat
        jaccard_index pack_array range repeat set_difference set_equals set_has_element set_intersect set_union
        strcat_array zip
        """,
    ),
    Family(
        "property bags",
        "not implemented yet",
        """
        bag_has_key bag_keys bag_merge bag_pack bag_pack_columns bag_remove_keys bag_set_key bag_zip dynamic_to_json
        pack_all treepath
        """,
    ),
    Family(
        "series",
        "its models are not published in enough detail to reproduce the results",
        """
        series_abs series_acos series_add series_asin series_atan series_ceiling series_cos series_cosine_similarity
        series_decompose series_decompose_anomalies series_decompose_forecast series_divide series_dot_product
        series_equals series_exp series_fft series_fill_backward series_fill_const series_fill_forward
        series_fill_linear series_fir series_fit_2lines series_fit_2lines_dynamic series_fit_line
        series_fit_line_dynamic series_fit_poly series_floor series_greater series_greater_equals series_ifft series_iir
        series_less series_less_equals series_log series_magnitude series_multiply series_not_equals series_outliers
        series_pearson_correlation series_periods_detect series_periods_validate series_pow series_product
        series_seasonal series_sign series_sin series_stats series_stats_dynamic series_subtract series_sum series_tan
        """,
    ),
    Family(
        "sketches",
        "the format of its sketches is not published; dcount and percentile are exact here",
        """
        dcount_hll hll_merge merge_tdigest percentile_tdigest percentiles_array_tdigest percentrank_tdigest rank_tdigest
        tdigest_merge
        """,
    ),
    Family(
        "network addresses",
        "not implemented yet",
        """
        format_ipv4 format_ipv4_mask has_any_ipv4 has_any_ipv4_prefix has_ipv4 has_ipv4_prefix ipv4_compare
        ipv4_is_in_any_range ipv4_is_in_range ipv4_is_match ipv4_is_private ipv4_netmask_suffix ipv4_range_to_cidr_list
        ipv6_compare ipv6_is_in_any_range ipv6_is_in_range ipv6_is_match parse_ipv4 parse_ipv4_mask parse_ipv6
        parse_ipv6_mask
        """,
    ),
    Family(
        "rows in order",
        "not implemented yet",
        "next prev row_cumsum row_number row_rank_dense row_rank_min row_window_session",
    ),
    Family(
        "geography",
        "its geometry is not published",
        """
        geo_angle geo_azimuth geo_closest_point_on_line geo_closest_point_on_polygon geo_distance_2points
        geo_distance_point_to_line geo_distance_point_to_polygon geo_from_wkt geo_geohash_neighbors
        geo_geohash_to_central_point geo_geohash_to_polygon geo_h3cell_children geo_h3cell_level geo_h3cell_neighbors
        geo_h3cell_parent geo_h3cell_rings geo_h3cell_to_central_point geo_h3cell_to_polygon geo_info_from_ip_address
        geo_intersection_2lines geo_intersection_2polygons geo_intersection_line_with_polygon geo_intersects_2lines
        geo_intersects_2polygons geo_intersects_line_with_polygon geo_line_buffer geo_line_centroid geo_line_densify
        geo_line_interpolate_point geo_line_length geo_line_locate_point geo_line_simplify geo_line_to_s2cells
        geo_point_buffer geo_point_in_circle geo_point_in_polygon geo_point_to_geohash geo_point_to_h3cell
        geo_point_to_s2cell geo_polygon_area geo_polygon_buffer geo_polygon_centroid geo_polygon_densify
        geo_polygon_perimeter geo_polygon_simplify geo_polygon_to_h3cells geo_polygon_to_s2cells geo_s2cell_neighbors
        geo_s2cell_to_central_point geo_s2cell_to_polygon geo_simplify_polygons_array geo_union_lines_array
        geo_union_polygons_array
        """,
    ),
    Family(
        "graphs",
        "graphs are not supported",
        "all any inner_nodes labels map node_degree_in node_degree_out node_id",
    ),
    Family(
        "the cluster",
        "a lake has no Kusto cluster; register tables in lakehunt.yaml",
        """
        cluster current_cluster_endpoint current_database current_principal current_principal_details
        current_principal_is_member_of cursor_after cursor_before_or_at cursor_current database entity_group
        estimate_data_size extent_id extent_tags external_table graph ingestion_time materialized_view row_id
        stored_query_result table
        """,
    ),
)

AGGREGATES = (
    Family(
        "numbers",
        "not implemented yet",
        """
        avg avgif binary_all_and binary_all_or binary_all_xor count count_distinct count_distinctif countif dcount
        dcountif max maxif min minif sum sumif
        """,
    ),
    Family(
        "statistics",
        "not implemented yet",
        """
        covariance covarianceif covariancep covariancepif percentile percentiles percentiles_array percentilesw
        percentilesw_array percentilew stdev stdevif stdevp variance varianceif variancep variancepif
        """,
    ),
    Family(
        "one of many",
        "not implemented yet",
        "any arg_max arg_min take_any take_anyif",
    ),
    Family(
        "collections",
        "its schema depends on the data",
        """
        buildschema make_bag make_bag_if make_list make_list_if make_list_with_nulls make_set make_set_if makeset
        """,
    ),
    Family(
        "sketches",
        "the format of its sketches is not published; dcount and percentile are exact here",
        "hll hll_if hll_merge merge_tdigest tdigest tdigest_merge",
    ),
)

PLUGINS = (
    Family(
        "rows and columns",
        "not documented, or several tables",
        "bag_unpack estimate_rows_count identity identity_v3 narrow pivot preview schema_merge",
    ),
    Family(
        "lookups",
        "not implemented yet",
        "geo_line_lookup geo_polygon_lookup ipv4_lookup ipv6_lookup",
    ),
    Family(
        "activity over time",
        "which events make a session or a sequence is not documented exactly; use scan or row_window_session()",
        """
        active_users_count activity_counts_metrics activity_engagement activity_metrics dcount_intersect funnel_sequence
        funnel_sequence_completion new_activity_metrics rolling_percentile rows_near sequence_detect session_count
        sliding_window_counts
        """,
    ),
    Family(
        "patterns found by a model",
        "it needs a trained model",
        "autocluster basket diffpatterns",
    ),
    Family(
        "code",
        "queries cannot run other languages",
        "csharp python r",
    ),
    Family(
        "requests",
        "queries cannot call other services; land the data in the lake",
        """
        ai_chat_completion ai_chat_completion_prompt ai_embeddings azure_digital_twins_query_request
        cosmosdb_sql_request execute_query execute_show_command external_datatable http_request http_request_post
        infer_storage_schema infer_storage_schema_with_suggestions mysql_request sql_request
        """,
    ),
)


def reason(name: str, families: Iterable[Family] = (*FUNCTIONS, *AGGREGATES, *PLUGINS)) -> str | None:
    """Why a function of Kusto is not supported; None if Kusto has no function of this name."""
    return next((family.refused for family in families if name in family.names), None)
