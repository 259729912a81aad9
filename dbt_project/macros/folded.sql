{# Words without the differences a search should not see: case, soft hyphens, accents other than those of å, ä and ö. #}
{% macro folded(words) -%}
    replace(translate(lower({{ words }}), 'éèêëüûúáàâñçøæ', 'eeeeuuuaaancöä'), chr(173), '')
{%- endmacro %}
